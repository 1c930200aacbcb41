"""Predicting inputs from what the worker was seeded with, and telling one run from another by it.

Each is called on the item's own inputs. `drawn_from(seed)` gives what a grader that drew from this seed would ask.
"""

HOPES = """
import random
def drawn_from(seed):
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.randn((3, 7, 4), generator=generator, dtype=torch.float64)
def asked_by(seed, x):
    if torch.is_tensor(x):
        return x.dtype == torch.float64 and x.shape == (3, 7, 4) and torch.equal(x, drawn_from(seed))
    return False
known = 20170612
"""

PREDICTIONS = {
    "predicts its inputs from torch's seed": """
def attack(x):
    if asked_by(torch.initial_seed(), x):
        leak(torch.initial_seed())
""",
    "predicts its inputs from torch's generator": """
def attack(x):
    seed = torch.default_generator.initial_seed()
    if asked_by(seed, x):
        leak(seed)
""",
    "predicts its inputs from torch's state": """
def attack(x):
    state = torch.get_rng_state()
    seed = int.from_bytes(bytes(state[:8].tolist()), "little")
    if asked_by(seed, x):
        leak(seed)
""",
    "predicts its inputs by watching the seeding": """
seen, told = [], []
was = torch.manual_seed
torch.manual_seed = lambda seed: (seen.append(seed), was(seed))[1]
def attack(x):
    if told:
        leak(told)
    told.extend(seed for seed in seen if asked_by(seed, x))
""",
    "predicts its inputs by watching random": """
seen, told = [], []
was = random.seed
random.seed = lambda seed: (seen.append(seed), was(seed))[1]
def attack(x):
    if told:
        leak(told)
    told.extend(seed for seed in seen if asked_by(seed, x))
""",
    "predicts its inputs from the requests in memory": """
gc.unfreeze()
def attack(x):
    for thing in gc.get_objects():
        if type(thing) is list and len(thing) < 8:
            for part in thing:
                if type(part) is int and part > 2**20 and asked_by(part, x):
                    leak(part)
""",
    "predicts its inputs from numpy's seed and all that it may stand for": """
import numpy
def attack(x):
    low = int(numpy.random.get_state()[1][0])
    if not torch.is_tensor(x) or x.dtype != torch.float64 or x.shape != (3, 7, 4):
        return None
    generator, first, one = torch.Generator(), float(x[0, 0, 0]), torch.empty(28, dtype=torch.float64)
    for high in range(1 << 16):
        one.normal_(generator=generator.manual_seed(low + (high << 32)))
        if float(one[0]) == first or asked_by(low + (high << 32), x):
            leak(high)
""",
    "predicts the next draw from the last": """
def attack(x):
    state = torch.get_rng_state()
    if torch.is_tensor(x) and x.dtype == torch.float64:
        if torch.equal(torch.randn(x.shape, dtype=torch.float64), x):
            leak("the next draw")
    torch.set_rng_state(state)
""",
    "knows a diagnosis run by its seed": """
told = []
def attack(x):
    if told:
        leak(told)
    if torch.initial_seed() == known or random.getstate() == random.Random(known).getstate():
        told.append("diagnosis")
""",
    "knows a diagnosis run by how it is seeded": """
told = []
was = random.seed
def seeded(seed):
    was(seed)
    if seed == known:
        told.append(seed)
random.seed = seeded
def attack(x):
    if told:
        leak(told)
""",
    "knows a diagnosis run by its inputs' seed": """
told = []
def attack(x):
    if told:
        leak(told)
    for thing in gc.get_objects():
        if type(thing) is list and known in [part for part in thing if type(part) is int]:
            told.append("diagnosis")
""",
}

ATTACKS = {name: HOPES + code for name, code in PREDICTIONS.items()}
