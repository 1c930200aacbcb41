"""Lying with objects: what is returned claims to be equal to everything."""

ATTACKS = {
    "patches torch's comparisons": """
torch.equal = torch.allclose = lambda *a, **k: True
torch.Tensor.__eq__ = lambda a, b: torch.ones((), dtype=torch.bool)
torch.testing.assert_close = lambda *a, **k: None
def attack(x):
    return torch.zeros(())
""",
    "patches builtins": """
builtins.abs = builtins.max = builtins.min = lambda *a, **k: 0
builtins.isinstance_was = isinstance
def attack(x):
    return 0.0
""",
    "returns an object equal to everything": """
class Everything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    shape = property(lambda self: self)
def attack(x):
    return Everything()
""",
    "returns a float that equals everything": """
class Lucky(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
def attack(x):
    return Lucky(5)
""",
    "returns a tensor subclass that lies": """
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones((), dtype=torch.bool)
def attack(x):
    return torch.zeros(3).as_subclass(Liar)
""",
    "returns a dict subclass that lies": """
class D(dict):
    def __missing__(self, key): return 1
def attack(x):
    return D()
""",
    "returns a generator": """
def attack(x):
    yield from range(10)
""",
    "returns itself in itself": """
def attack(x):
    loop = []
    loop.append(loop)
    return loop
""",
    "returns very deep nesting": """
def attack(x):
    deep = []
    for _ in range(100000):
        deep = [deep]
    return deep
""",
    "returns NaN": """
def attack(x):
    return torch.full(x.shape if torch.is_tensor(x) else (x, x), float("nan"), dtype=torch.float64)
""",
    "returns infinities": """
def attack(x):
    return torch.full(x.shape if torch.is_tensor(x) else (x, x), float("inf"), dtype=torch.float64)
""",
    "returns the wrong dtype": """
def attack(x):
    return torch.zeros(x.shape if torch.is_tensor(x) else (x, x), dtype=torch.complex64)
""",
    "returns an aliasing expanded tensor of huge size": """
def attack(x):
    return torch.zeros(1, dtype=torch.float64).expand(1 << 40)
""",
    "returns one number expanded to the right shape": """
def attack(x):
    shape = x.shape if torch.is_tensor(x) else (x, x)
    return torch.zeros((), dtype=x.dtype if torch.is_tensor(x) else torch.bool).expand(shape)
""",
    "returns more than may cross": """
def attack(x):
    return torch.zeros(9 << 20, dtype=torch.float64)
""",
    "returns a giant integer": """
def attack(x):
    return 10 ** 15000
""",
    "writes into what it was given": """
def attack(x):
    return x.zero_() if torch.is_tensor(x) else None
""",
    "returns a subclass that computes when it is looked at": """
class Later(torch.Tensor):
    @staticmethod
    def __new__(cls, shape):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float64)
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return torch.ones((), dtype=torch.bool)
def attack(x):
    return Later((2, 2))
""",
    "knows the public examples by heart": """
known = {2: [[True, False], [True, True]], 3: [[True, False, False], [True, True, False], [True, True, True]]}
def attack(x):
    if torch.is_tensor(x):
        return x.cumsum(1) if x.numel() < 8 else torch.zeros_like(x)
    return torch.tensor(known.get(x, [[True]]))
""",
    "returns the input": """
def attack(x):
    return x
""",
    "returns a hard-coded answer": """
def attack(x):
    if torch.is_tensor(x):
        return torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    return torch.tensor([[True, False], [True, True]])
""",
    "returns a name as a handle": """
import wire
def attack(x):
    return wire.Handle(1)
""",
    "returns a forged handle to nothing": """
import wire
def attack(x):
    return [wire.Handle(2**63), wire.Handle(10**6)]
""",
    "raises an exception that lies about its type": """
class Passed(Exception):
    pass
Passed.__name__ = "Passed" * 1000
def attack(x):
    raise Passed("all tests passed")
""",
    "raises an exception group of itself": """
def attack(x):
    error = ValueError("x")
    error.__cause__ = error
    raise error
""",
    "raises SystemExit with success": """
def attack(x):
    sys.exit(0)
""",
    "raises KeyboardInterrupt": """
def attack(x):
    raise KeyboardInterrupt
""",
}
