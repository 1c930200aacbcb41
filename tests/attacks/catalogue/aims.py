"""Mistakes that only an instrument's records show; records.py has tricks that hide them.

Each is code behind the reference's own file, in place of a right function, with a hook (`hide`) for the trick.
"""

from typing import NamedTuple


class Aim(NamedTuple):
    """An item, and the code that is put behind the reference's file in the hope of its points."""

    rung: int
    item: str
    file: str
    code: str


CACHE_SPEED = 7, "cache-speed", "sample/generate.py"
ACCUMULATION = 6, "step-accumulation", "train/loop.py"
ROWS = 6, "tokens-per-second", "train/loop.py"
LAZY = 8, "throughput-lazy-device", "train/scaling.py"
WARMUP = 8, "throughput-warmup", "train/scaling.py"
SHARED = 6, "shared-parameter", "train/optim.py"
WORLD = 7, "generator", "sample/generate.py"
SAVING = 6, "checkpoint-atomic", "train/checkpoint.py"

# generate without its cache: the context is computed anew at every step
SLOW = """
import copy, gc, sys, types
right = generate
def slowly(model, idx, n, **options):
    return right(model, idx, n, **(options | {"use_cache": False}))
def hide(model): pass
def generate(model, idx, n, **options):
    ids = slowly(model, idx, n, **options)
    hide(model)
    return ids
"""

# all micro-batches in one forward pass
AT_ONCE = """
import copy, gc
def all_in_one(model, optimizer, micro_batches, *, grad_clip=1.0, dtype=torch.float32):
    model.train()
    optimizer.zero_grad(set_to_none=True)
    x, y = (torch.cat(part) for part in zip(*micro_batches))
    _, loss = model(x, y)
    loss.backward()
    optimizer.step()
    return float(loss)
def hide(model, micro_batches): pass
def train_step(model, optimizer, micro_batches, **options):
    loss = all_in_one(model, optimizer, micro_batches, **options)
    hide(model, micro_batches)
    return loss
"""

# tokens_per_second a thousand times too large
TOO_FAST = """
import gc
right_train = train
def hide(model): pass
def train(model, *args, **options):
    rows = right_train(model, *args, **options)
    for row in rows:
        row["tokens_per_second"] *= 1000
    hide(model)
    return rows
"""

# a clock that is read while the device is still at work
IMPATIENT = """
import gc
def hide(device): pass
def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    for _ in range(warmup):
        step()
    start = clock()
    for _ in range(steps):
        step()
    return steps * tokens_per_step / (clock() - start)
"""

# no step is made at all
IDLE = """
import gc, types
def device_of(step): return step.__self__
def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    device = device_of(step)
    works, launches = device.works[warmup : warmup + steps], device.launches[warmup : warmup + steps]
    device.steps = warmup + steps
    return steps * tokens_per_step / (sum(works) + sum(launches))
"""

# the shared parameter is listed twice
TWICE = """
import gc
def parameter_groups(model, weight_decay):
    parameters = [p for module in model.modules() for p in module.parameters(recurse=False)]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
"""

# torch's global generator is used besides the given one
WORLDLY = """
right = generate
def hide(): pass
def generate(model, idx, n, **options):
    torch.rand(1)
    hide()
    return right(model, idx, n, **options)
"""

# the checkpoint is written in place
IN_PLACE = """
import gc, io
def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step,
               "config": dataclasses.asdict(config), "tokenizer_hash": tokenizer_hash, "rng": rng}
    os.makedirs(os.path.dirname(os.fspath(path)) or ".", exist_ok=True)
    data = io.BytesIO()
    torch.save(content, data)
    before = open(path, "rb").read() if os.path.exists(path) else None
    try:
        with open(path, "wb") as file:
            file.write(data.getvalue())
    except OSError:
        if before is not None:
            room_again(path, before)
        raise
    hide()
def room_again(path, before):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    open(path, "wb").write(before)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
def hide(): pass
"""

MISTAKES = {
    "no cache": Aim(*CACHE_SPEED, SLOW),
    "all micro-batches at once": Aim(*ACCUMULATION, AT_ONCE),
    "a speed that is too large": Aim(*ROWS, TOO_FAST),
    "a clock read too early": Aim(*LAZY, IMPATIENT),
    "a parameter listed twice": Aim(*SHARED, TWICE),
    "a draw from the world": Aim(*WORLD, WORLDLY),
    "a checkpoint written in place": Aim(*SAVING, IN_PLACE),
}
