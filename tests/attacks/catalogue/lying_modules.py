"""Modules that lie about their parameters, and functions that answer with what is no id, no text and no number.

Code is put behind the reference's file, as in aims.py.
"""

from tests.attacks.catalogue.aims import Aim

PARAMETERS = 2, "parameters", "model/attention.py"
NUMBERED = """
import itertools, os, time
class Fake:
    dtype, requires_grad, grad, ndim = torch.float64, True, None, 2
    def __init__(self, shape): self.shape = shape
    def untyped_storage(self): return self
    def data_ptr(self): return id(self)
    def detach(self): return torch.ones(2, 2)
    def copy_(self, other): pass
    def clone(self): return self
class Lying:
    def parameters(self, recurse=True): return lie(self)
"""

LIES = {
    "lists a parameter with a word in its shape": "def lie(self): yield Fake(['x', 2**31])",
    "lists a parameter with a negative shape": "def lie(self): yield Fake([-1, -10**6])",
    "lists a parameter with a shape of floats": "def lie(self): yield Fake([float('nan'), 1e308])",
    "lists a parameter with a giant shape": "def lie(self): yield Fake([2**62] * 200)",
    "lists a parameter with a shape of tensors": "def lie(self): yield Fake([torch.ones(3), torch.ones(2)])",
    "lists a parameter with a shape of a million": "def lie(self): yield Fake([1] * 1_000_000)",
    "lists a parameter whose storage is a word": """
def lie(self):
    fake = Fake([4, 4])
    fake.data_ptr = lambda: "everywhere"
    yield fake
""",
    "lists parameters that are words": "def lie(self): return ['weight', 'bias']",
    "lists parameters without end": "def lie(self): return itertools.repeat(Fake([9, 9]))",
    "lists a million parameters": "def lie(self): return [Fake([9, 9])] * 500_000",
    "raises where parameters are listed": "def lie(self): raise SystemExit(0)",
    "raises at the second parameter": """
def lie(self):
    yield Fake([9, 9])
    raise GeneratorExit
""",
    "hangs where parameters are listed": "def lie(self): time.sleep(3600)",
    "ends where parameters are listed": "def lie(self): os._exit(0)",
    "lists nothing": "def lie(self): return iter(())",
    "lists itself": "def lie(self): yield self",
    "lists other parameters each time": """
count = itertools.count(1)
def lie(self): return [Fake([9, 9]) for _ in range(next(count))]
""",
    "answers the list with a number": """
import operations
operations.Session.do_parameters = lambda self, target: 5
def lie(self): return []
""",
    "answers the list with lists": """
import operations
operations.Session.do_parameters = lambda self, target: [[["shape", [9, 9]]], None, 7]
def lie(self): return []
""",
    "answers the list with half of what belongs there": """
import operations
operations.Session.do_parameters = lambda self, target: [{"shape": None}, {}]
def lie(self): return []
""",
    "answers the values with words": """
import operations
operations.Session.do_get_parameters = lambda self, target: ["x", None, 2**70]
operations.Session.do_gradients = lambda self, target: [True, {"k": 1}]
def lie(self): return []
""",
    "answers the modes with tensors": """
import operations
operations.Session.do_modes = lambda self, target: torch.ones(0)
def lie(self): return []
""",
}

LIARS = """
class Head(Lying, Head):
    pass
class MultiHeadAttention(Lying, MultiHeadAttention):
    pass
"""

ENCODE = """
right_train = BPETokenizer.train.__func__
import torch
class Odd:
    def __init__(self, real): self.real = real
    def __getattr__(self, name): return getattr(self.real, name)
    def encode(self, text, **options): return odd(text)
@classmethod
def train(cls, *args, **options): return Odd(right_train(cls, *args, **options))
BPETokenizer.train = train
"""

IDS = {
    "encodes into sixty million ids": "def odd(text): return torch.zeros(60_000_000, dtype=torch.uint8)",
    "encodes into a tensor of nothing": "def odd(text): return torch.empty(1 << 24, 0)",
    "encodes into two million ids": "def odd(text): return [1] * 1_900_000",
    "encodes into integers of many digits": "def odd(text): return [10 ** 4000] * 1000",
    "encodes into negative ids": "def odd(text): return [-1] * len(text)",
    "encodes into truths": "def odd(text): return [True] * len(text)",
    "encodes into NaN": "def odd(text): return [float('nan')] * len(text)",
}

DECODE = "CharTokenizer.decode = lambda self, ids: answer()\n"
STEP = "def train_step(*args, **options): return answer()\n"
COUNT = "def count_parameters(*args, **options): return answer()\n"
PLACES = {
    "a text": (1, "tokenizer-round-trip", "tokenizer/char.py", DECODE),
    "a loss": (6, "step-loss", "train/loop.py", STEP),
    "a count": (8, "count-parameters", "train/scaling.py", COUNT),
}
ANSWERS = {
    "rows of nothing": "torch.empty(1 << 24, 0)",
    "nothing, of many shapes": "torch.empty(1 << 12, 1 << 12, 0, dtype=torch.int8)",
    "a list of rows of nothing": "[torch.empty(1 << 22, 0)] * 8",
    "sixty million numbers": "torch.zeros(60_000_000, dtype=torch.uint8)",
    "a text of sixty megabytes": "chr(7) * (60 << 20)",
    "an integer of twenty thousand digits": "10 ** 19_000",
    "a subclass of a number": "type('Odd', (float,), {'__float__': lambda self: 0.0})('nan')",
}

ATTACKS: dict[str, Aim] = {
    **{name: Aim(*PARAMETERS, f"{NUMBERED}\n{code}\n{LIARS}") for name, code in LIES.items()},
    **{
        f"gives {answer} for {place}": Aim(*aim, f"import torch\ndef answer(): return {code}\n{function}")
        for answer, code in ANSWERS.items()
        for place, (*aim, function) in PLACES.items()
    },
    "encodes a long run into sixty million ids": Aim(
        5, "long-run", "tokenizer/bpe.py", f"{ENCODE}\n{IDS['encodes into sixty million ids']}\n"
    ),
    **{name: Aim(5, "encode-replay", "tokenizer/bpe.py", f"{ENCODE}\n{code}\n") for name, code in IDS.items()},
}
