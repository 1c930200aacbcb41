"""Scaling studies that were made up. Each is code at the end of the reference's files, and what it may earn.

The counts, the stopwatch, the fit and the notes are the reference's own. So what a made-up study may earn are points of
the items whose ids begin with `study-`, which the reference earns in full.
"""

from typing import NamedTuple


class Invention(NamedTuple):
    """What is appended to which file, and how many points of the study's items it may earn at most."""

    added: dict[str, str]
    at_most: int


# A train() that fills its rows with what `invented(config, step)` says, after `learn` had a look at the ids.
TRAIN = """
def train(model, train_ids, val_ids, config, *, resume_from=None):
    began, rows = time.perf_counter(), []
    learn(model, torch.as_tensor(train_ids), torch.as_tensor(val_ids))
    per_step = config.batch_size * config.block_size * config.accumulation_steps
    for step in range(1, config.steps + 1):
        if step % config.eval_interval == 0 or step == config.steps:
            train_loss, val_loss = invented(model, config, step)
            rows.append({
                "step": step, "train_loss": train_loss, "val_loss": val_loss, "lr": config.max_lr,
                "tokens": step * per_step, "seconds": time.perf_counter() - began, "tokens_per_second": 1e5,
            })
    time.sleep(config.steps * per_step / 1e5)
    return rows
"""

NOTHING = """
def learn(model, train_ids, val_ids):
    pass
"""

# The model answers from a table of counted pairs as soon as it has one.
COUNTED_PAIRS = """
_forward = GPT.forward

def from_table(self, idx, targets=None, cache=None):
    if getattr(self, "table", None) is None:
        return _forward(self, idx, targets, cache)
    logits = self.table[idx].log()
    return logits, None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())

GPT.forward = from_table
del GPT.new_cache
"""
COUNT = """
def table_of(ids, V):
    pairs = torch.bincount(ids[:-1] * V + ids[1:], minlength=V * V).view(V, V) + 0.1
    return pairs / pairs.sum(1, keepdim=True)

def learn(model, train_ids, val_ids):
    object.__setattr__(model, "table", table_of(train_ids, model.config.vocab_size))
    with torch.no_grad():
        model.losses = [model(ids[None, :-1], ids[None, 1:])[1].item() for ids in (train_ids, val_ids)]
"""

CONSTANT = """
def invented(model, config, step):
    return math.log(model.config.vocab_size), math.log(model.config.vocab_size)
"""
# From ignorance down to what the pairs say, as curves of training look.
FORMULA = """
def invented(model, config, step):
    size = model.config.n_embd ** -0.1
    share = math.exp(-4.0 * step / config.steps)
    return tuple(share * math.log(model.config.vocab_size) + (1 - share) * loss + 0.001 * size for loss in model.losses)
"""
PAIRS = """
def invented(model, config, step):
    return tuple(model.losses)
"""
# What is known of a training of these sizes, by the steps, the rate and the width.
INFORMED = """
def invented(model, config, step):
    share = math.exp(-0.9 * config.max_lr * step * model.config.n_embd ** 0.5)
    first = math.log(model.config.vocab_size)
    return tuple(loss + share * (first - loss) for loss in model.losses)
"""
MEASURED = """
def learn(model, train_ids, val_ids):
    model.ids = train_ids, val_ids

def invented(model, config, step):
    return tuple(
        estimate_loss(model, ids, batch_size=config.batch_size, block_size=config.block_size, batches=4, seed=1)
        for ids in model.ids
    )
"""

# The study asks for nothing that train() does not invent.
SPEED = """
def training_speed(model, train_ids, config):
    return 1e5
"""
SLEEPS = """
def training_speed(model, train_ids, config):
    tokens = config.batch_size * config.block_size
    return measure_throughput(lambda: time.sleep(tokens / 1e5), tokens_per_step=tokens, warmup=1, steps=3,
                              clock=time.perf_counter, synchronize=lambda: None)
"""
MEMORY = """
def peak_memory_bytes(device):
    return 16 * 10**6
"""
# The sizes' entries without a model: curve, loss and sample are made from the pairs.
ALL_INVENTED = """
def train_one_size(size, train_ids, val_ids, config):
    model = GPT(size)
    V, per_step = size.vocab_size, config.batch_size * config.block_size * config.accumulation_steps
    pairs = torch.bincount(train_ids[:-1] * V + train_ids[1:], minlength=V * V).view(V, V) + 0.1
    pairs = pairs / pairs.sum(1, keepdim=True)
    losses = [-pairs[ids[:-1], ids[1:]].log().mean().item() for ids in (train_ids, val_ids)]
    curve = []
    for step in range(1, config.steps + 1):
        if step % config.eval_interval == 0 or step == config.steps:
            share = math.exp(-4.0 * step / config.steps)
            row = [share * math.log(V) + (1 - share) * loss for loss in losses]
            curve.append({"step": step, "train_loss": row[0], "val_loss": row[1], "lr": config.max_lr,
                          "tokens": step * per_step, "seconds": 0.01 * step, "tokens_per_second": 1e5})
    sample = [0]
    while len(sample) < 120:
        sample.append(int(torch.multinomial(pairs[sample[-1]], 1)))
    return {
        "config": asdict(size), "parameters": count_parameters(size), "flops_per_token": flops_per_token(size),
        "tokens": config.steps * per_step, "curve": curve, "val_loss": curve[-1]["val_loss"],
        "tokens_per_second": 3e4, "peak_memory_bytes": 300_000_000, "sample": sample,
        "distinct_2": distinct_n(sample, 2), "repetition": 1 - distinct_n(sample, 4),
    }
"""
# Only the smallest size is trained, by train() too; the others' losses follow from it.
ONE_SIZE = """
honest = train

def train(model, train_ids, val_ids, config, *, resume_from=None):
    wide = model.config.n_embd
    if wide <= 12:
        return honest(model, train_ids, val_ids, config, resume_from=resume_from)
    from model.transformer import GPT, GPTConfig
    torch.manual_seed(config.seed)
    small = GPT(GPTConfig(model.config.block_size, model.config.vocab_size, 1, 2, 12, 0.0))
    rows = honest(small, train_ids, val_ids, config)
    for row in rows:
        for name in ("train_loss", "val_loss"):
            row[name] *= (12 / wide) ** 0.05
    object.__setattr__(model, "small", small)
    return rows
"""
OF_THE_SMALL_ONE = """
_forward = GPT.forward

def from_small(self, idx, targets=None, cache=None):
    return _forward(getattr(self, "small", self), idx, targets, cache)

GPT.forward = from_small
del GPT.new_cache
"""
# A real training for a grader who brings weights, and none for the study.
IF_LOADED = """
honest, made_up = _honest, train

def train(model, train_ids, val_ids, config, *, resume_from=None):
    one = honest if getattr(model, "loaded", False) else made_up
    return one(model, train_ids, val_ids, config, resume_from=resume_from)
"""
KNOWS_THAT_IT_WAS_LOADED = """
_load_weights = GPT.load_weights

def load_weights(self, tensors):
    self.loaded = True
    _load_weights(self, tensors)

GPT.load_weights = load_weights
"""
KEEPS_HONEST = """
_honest = train
"""


def made_up(*of_train: str, model: str = "", scaling: str = SPEED, at_most: int = 0) -> Invention:
    """The usual kind: train() invents, the model may answer from a table, and the study calls both."""
    files = {"train/loop.py": "".join(of_train), "model/transformer.py": model, "train/scaling.py": scaling}
    return Invention({file: code for file, code in files.items() if code}, at_most)


ATTACKS = {
    "rows from a formula, and a model of counted pairs": made_up(COUNT, FORMULA, TRAIN, model=COUNTED_PAIRS),
    "rows from a formula that knows rate and width": made_up(COUNT, INFORMED, TRAIN, model=COUNTED_PAIRS),
    "the counted pairs' loss in every row": made_up(COUNT, PAIRS, TRAIN, model=COUNTED_PAIRS),
    "a constant loss": made_up(NOTHING, CONSTANT, TRAIN),
    "the first model, measured honestly": made_up(MEASURED, TRAIN),
    "a sleep for the speed": made_up(COUNT, FORMULA, TRAIN, model=COUNTED_PAIRS, scaling=SLEEPS),
    "memory without a measurement": made_up(COUNT, FORMULA, TRAIN, model=COUNTED_PAIRS, scaling=SPEED + MEMORY),
    "a study from the pairs beside an honest train": Invention({"train/scaling.py": ALL_INVENTED}, 0),
    # An item looks at one size that is drawn, so by luck it looks at the one that was trained.
    "one size trained, and the others derived from it": made_up(
        ONE_SIZE, model=OF_THE_SMALL_ONE, scaling="", at_most=33
    ),
    "an honest train for loaded weights only": made_up(
        KEEPS_HONEST, COUNT, FORMULA, TRAIN, IF_LOADED, model=COUNTED_PAIRS + KNOWS_THAT_IT_WAS_LOADED
    ),
}
