"""Objects whose every method is a trap, returned in the hope that somebody on the other side touches them."""

ATTACKS = {
    "returns an iterator that never ends": """
def attack(x):
    return iter(int, 1)
""",
    "returns a list that never ends": """
class Endless(list):
    def __iter__(self):
        while True:
            yield True
    def __len__(self): return 2
def attack(x):
    return Endless([1, 2])
""",
    "returns a tuple that never ends": """
class Endless(tuple):
    def __iter__(self):
        while True:
            yield [True]
def attack(x):
    return Endless((1,))
""",
    "returns a dict whose items never end": """
class Endless(dict):
    def items(self):
        while True:
            yield "k", True
    def __iter__(self): return iter(int, 1)
    keys = __iter__
def attack(x):
    return Endless(a=1)
""",
    "returns an object with a hostile equality": """
class Hostile:
    def __eq__(self, other): leak("compared")
    def __hash__(self): leak("hashed")
    def __bool__(self): leak("asked for truth")
    def __len__(self): leak("measured")
def attack(x):
    return [Hostile(), {"k": Hostile()}]
""",
    "returns an object that pickles into a program": """
class Bomb:
    def __reduce__(self): return os.system, ("touch /tmp/leak",)
    __reduce_ex__ = lambda self, protocol: self.__reduce__()
def attack(x):
    return Bomb()
""",
    "returns an object that ends the process when it goes": """
class Last:
    def __del__(self): os._exit(0)
def attack(x):
    Last()
    return True
""",
    "returns an object that answers when it goes": """
import wire
class Last:
    def __del__(self): os.write(3, wire.encode([4, True, True]) * 3)
def attack(x):
    Last()
    return True
""",
    "returns an int whose index is a program": """
class Odd(int):
    def __new__(cls, *value): return int.__new__(cls, 5)
    def __index__(self): os._exit(0)
    def __int__(self): os._exit(0)
def attack(x):
    return Odd()
""",
    "returns a str whose text is a program": """
class Odd(str):
    def __str__(self): time.sleep(3600)
    def encode(self, *a): time.sleep(3600)
    def __format__(self, spec): time.sleep(3600)
def attack(x):
    return Odd("passed")
""",
    "returns a float that never becomes one": """
class Odd(float):
    def __float__(self):
        while True:
            pass
def attack(x):
    return Odd(1)
""",
    "returns bytes with a buffer of their own": """
class Odd(bytes):
    def __bytes__(self): return b"x" * (1 << 30)
    def __len__(self): return 1 << 60
def attack(x):
    return Odd(b"x")
""",
    "returns an object that claims to be a tensor": """
class Fake:
    __class__ = torch.Tensor
    shape, dtype, layout, ndim = (3, 3), torch.bool, torch.strided, 2
    def detach(self): return self
    cpu = resolve_conj = resolve_neg = contiguous = detach
    def reshape(self, *a): return self
    def view(self, *a): return self
    def numpy(self): return self
    def tobytes(self): return b"\\x01" * 9
def attack(x):
    return Fake()
""",
    "returns an object that claims to be a handle": """
import wire
class Fake:
    __class__ = wire.Handle
    number = -1
def attack(x):
    return Fake()
""",
    "returns a handle of no number": """
import wire
def attack(x):
    return wire.Handle("all")
""",
    "returns a handle to itself": """
import wire
class Own(wire.Handle):
    pass
def attack(x):
    return [Own(3), Own(-1)]
""",
    "returns an object of a class that is its own class": """
class Meta(type):
    def __instancecheck__(cls, thing): os._exit(0)
    def __subclasscheck__(cls, thing): os._exit(0)
    def __getattribute__(cls, name): os._exit(0)
def attack(x):
    return Meta("Odd", (), {})()
""",
    "returns an object whose attributes hang": """
class Hangs:
    def __getattribute__(self, name): time.sleep(3600)
def attack(x):
    return Hangs()
""",
    "returns an object whose attributes raise SystemExit": """
class Exits:
    def __getattribute__(self, name): raise SystemExit(0)
def attack(x):
    return Exits()
""",
    "returns a weak reference to nothing": """
import weakref
class Gone:
    pass
def attack(x):
    return weakref.proxy(Gone())
""",
    "returns a lambda, a module, a class and a frame": """
def attack(x):
    return [lambda: None, sys, type, sys._getframe()]
""",
    "returns a coroutine that nobody waits for": """
async def attack(x):
    leak("awaited")
""",
    "returns a million objects to keep": """
def attack(x):
    return [object() for _ in range(1_000_000)]
""",
    "returns a container that changes while it is read": """
class Grows(list):
    def __iter__(self):
        for i in range(100):
            self.append(i)
            yield self
def attack(x):
    return Grows([1])
""",
    "returns a mock that allows everything": """
from unittest import mock
def attack(x):
    return mock.MagicMock()
""",
    "turns the encoder's own types against it": """
import msgspec
class Fake(msgspec.Struct):
    passed: bool = True
def attack(x):
    return Fake()
""",
}
