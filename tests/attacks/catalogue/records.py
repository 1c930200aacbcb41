"""Rewriting what instruments have recorded: the model that counts, the model that remembers, the device, the hands.

Each entry is a mistake of aims.py, and a trick that hides it.
"""

from tests.attacks.catalogue.aims import (
    ACCUMULATION,
    AT_ONCE,
    CACHE_SPEED,
    IDLE,
    IN_PLACE,
    LAZY,
    ROWS,
    SAVING,
    SHARED,
    SLOW,
    TOO_FAST,
    TWICE,
    WARMUP,
    Aim,
)  # fmt: skip


def _tricks(aim, mistake, codes):
    return {name: Aim(*aim, mistake + code) for name, code in codes.items()}


ATTACKS: dict[str, Aim] = {
    **_tricks(
        CACHE_SPEED,
        SLOW,
        {
            "sets the table model's columns": """
def hide(model): model.columns, model.calls, model.caches = 36, 31, 1
""",
            "sets the columns behind the model's back": """
def hide(model): model.__dict__.update(columns=36, calls=31, caches=1)
""",
            "gives the table model another class": """
def hide(model):
    model.__class__ = type("Model", (type(model),), {"columns": property(lambda self: 36), "caches": 1})
    model.__dict__.pop("columns", None)
""",
            "gives the table model a forward of its own": """
def slowly(model, idx, n, **options):
    kind, was = type(model), type(model).forward
    def forward(self, idx, targets=None, cache=None):
        before = self.columns
        found = was(self, idx, targets, cache)
        self.columns = before
        return found
    kind.forward = forward
    try:
        return right(model, idx, n, **(options | {"use_cache": False}))
    finally:
        kind.forward = was
""",
            "calls a copy of the table model": """
def slowly(model, idx, n, **options):
    return right(copy.deepcopy(model), idx, n, **(options | {"use_cache": False}))
""",
            "calls a pickled copy of the table model": """
import io
def slowly(model, idx, n, **options):
    data = io.BytesIO()
    torch.save(model, data)
    data.seek(0)
    return right(torch.load(data, weights_only=False), idx, n, **(options | {"use_cache": False}))
""",
            "reads the table model's tables and never calls it": """
def slowly(model, idx, n, **options):
    tables, ids = model.tables[0].detach(), idx
    for _ in range(n):
        context = ids[:, -len(tables) :]
        logits = tables[torch.arange(context.shape[1]), context].sum(dim=1)
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
    return ids
""",
            "finds the table model's tables in memory": """
def slowly(model, idx, n, **options):
    gc.unfreeze()
    tables = [t for t in gc.get_objects() if isinstance(t, torch.Tensor) and t.ndim == 4 and t.shape[2] == t.shape[3]]
    tables, ids = tables[-1].detach()[0], idx
    for _ in range(n):
        context = ids[:, -len(tables) :]
        logits = tables[torch.arange(context.shape[1]), context].sum(dim=1)
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
    return ids
""",
            "answers for the columns in the worker": """
import operations
was = operations.Session.do_value
def do_value(self, target):
    return 36 if target[-1] == "columns" else was(self, target)
operations.Session.do_value = do_value
""",
        },
    ),
    **_tricks(
        ACCUMULATION,
        AT_ONCE,
        {
            "rewrites the tiny model's passes and events": """
def hide(model, batches):
    one = model.passes[-1]
    model.passes[:] = [one | {"x": x, "y": y} for x, y in batches]
    model.events[:] = ["forward", "backward"] * len(batches)
""",
            "replaces the tiny model's passes and events": """
def hide(model, batches):
    one = model.passes[-1]
    model.__dict__["passes"] = [one | {"x": x, "y": y} for x, y in batches]
    model.__dict__["events"] = ["forward", "backward"] * len(batches)
""",
            "forgets what the tiny model has seen, and shows it again": """
def train_step(model, optimizer, batches, **options):
    loss = all_in_one(model, optimizer, batches, **options)
    model.passes.clear()
    model.events.clear()
    for x, y in batches:
        _, each = model(x, y)
        each.backward()
    optimizer.zero_grad(set_to_none=True)
    return loss
""",
            "answers for the passes in the worker": """
import operations
shown = []
def hide(model, batches):
    one = model.passes[-1]
    shown[:] = [one | {"x": x, "y": y} for x, y in batches]
was = operations.Session.do_value
def do_value(self, target):
    if target[-1] == "passes":
        return shown
    return ["forward", "backward"] * len(shown) if target[-1] == "events" else was(self, target)
operations.Session.do_value = do_value
""",
            "finds the records in memory": """
def hide(model, batches):
    gc.unfreeze()
    for thing in gc.get_objects():
        if type(thing).__name__ == "Record":
            if thing and isinstance(thing[-1], dict):
                thing[:] = [thing[-1] | {"x": x, "y": y} for x, y in batches]
            elif thing:
                thing[:] = ["forward", "backward"] * len(batches)
""",
        },
    ),
    **_tricks(
        ROWS,
        TOO_FAST,
        {
            "rewrites the times of the passes": """
def hide(model):
    for one in model.passes:
        one["time"] /= 1000
""",
            "slows the clock of the passes": """
right_clock = time.perf_counter
started = right_clock()
time.perf_counter = lambda: started + (right_clock() - started) / 1000
def train(model, *args, **options):
    return right_train(model, *args, **options)
""",
            "stops the clock of the passes": """
class Steps:
    now = 100.0
    def __call__(self):
        Steps.now += 1e-6
        return Steps.now
time.perf_counter = time.monotonic = time.time = Steps()
def train(model, *args, **options):
    return right_train(model, *args, **options)
""",
            "skips the model's pauses": """
time.sleep = lambda seconds: None
def train(model, *args, **options):
    model.pauses = None
    rows = right_train(model, *args, **options)
    for one in model.passes:
        one["time"] *= 2
    for row in rows:
        row["tokens_per_second"] /= 2
    return rows
""",
        },
    ),
    **_tricks(
        LAZY,
        IDLE,
        {
            "reads the device's works from its step": "",
            "finds the device in memory": """
def device_of(step):
    gc.unfreeze()
    return [thing for thing in gc.get_objects() if type(thing).__name__ == "LazyDevice"][-1]
""",
            "puts the device's queue on its clock": """
def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    device = step.__self__
    device.queued = 0.0
    device.launches = [a + b for a, b in zip(device.launches, device.works)]
    device.works = [0.0] * len(device.works)
    for _ in range(warmup):
        step()
    start = clock()
    for _ in range(steps):
        step()
    return steps * tokens_per_step / (clock() - start)
""",
            "gives the device another step": """
def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    kind, was = type(step.__self__), type(step.__self__).step
    def waits(self):
        was(self)
        self.now, self.queued = self.now + self.queued, 0.0
    step.__self__.queued = 0.0
    kind.step = waits
    try:
        for _ in range(warmup):
            step.__self__.step()
        start = clock()
        for _ in range(steps):
            step.__self__.step()
        return steps * tokens_per_step / (clock() - start)
    finally:
        kind.step = was
""",
        },
    ),
    "sets the device's steps without a warm-up": Aim(
        *WARMUP,
        """
def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    device = step.__self__
    device.steps = warmup
    start = clock()
    for _ in range(steps):
        step()
    return steps * tokens_per_step / (clock() - start)
""",
    ),
    **_tricks(
        SHARED,
        TWICE,
        {
            "lists the parameter once for the reader only": """
was_groups = parameter_groups
class Groups(list):
    def __iter__(self):
        for group in list.__iter__(self):
            seen = {id(p): p for p in group["params"]}
            yield group | {"params": list(seen.values())}
def parameter_groups(model, weight_decay): return Groups(was_groups(model, weight_decay))[:]
""",
        },
    ),
    **_tricks(
        SAVING,
        IN_PLACE,
        {
            "clears the moments of the watched file": """
def hide():
    gc.unfreeze()
    for thing in gc.get_objects():
        if type(thing).__name__ == "WatchedFile":
            thing.moments.clear()
""",
            "makes the watched file look elsewhere": """
was_abspath = os.path.abspath
os.path.abspath = lambda path: was_abspath(path) + "."
""",
        },
    ),
}
