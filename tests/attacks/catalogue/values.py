"""Plain values that are too deep, too many, too long, or not what they say."""

ATTACKS = {
    "returns a list as deep as may cross": """
def attack(x):
    deep = True
    for _ in range(63):
        deep = [deep]
    return deep
""",
    "returns a dict as deep as may not cross": """
def attack(x):
    deep = {}
    for _ in range(90):
        deep = {"k": deep}
    return deep
""",
    "returns a dict that holds itself": """
def attack(x):
    loop = {}
    loop["loop"] = [loop]
    return loop
""",
    "returns two lists that hold each other many times": """
def attack(x):
    level = []
    for _ in range(60):
        level = [level, level]
    return level
""",
    "returns a string as long as may cross": """
def attack(x):
    return "all tests passed " * (3 << 20)
""",
    "returns a string longer than may cross": """
def attack(x):
    return "a" * (70 << 20)
""",
    "returns a string of surrogates": r"""
def attack(x):
    return "\ud800" * 100_000
""",
    "returns bytes as many as may cross": """
def attack(x):
    return bytes(60 << 20)
""",
    "returns the largest integer that may cross": """
def attack(x):
    return 1 << (8 * 8190)
""",
    "returns many integers of many digits": """
def attack(x):
    return [1 << (8 * 8190)] * 2000
""",
    "returns a dict whose keys are integers of many digits": """
def attack(x):
    return {10 ** 4000: True, -(10 ** 4000): True}
""",
    "returns a dict whose keys are NaN": """
def attack(x):
    return {float("nan"): True for _ in range(10)}
""",
    "returns a dict whose keys are equal after the crossing": """
def attack(x):
    return {True: 1, "True": 2, b"True": 3, 1.5: 4}
""",
    "returns a dict with keys that no wire has": """
def attack(x):
    return {(1, 2): True, frozenset(): False, None: 1}
""",
    "returns a dict with a key of its own kind": """
class Key(str):
    def __hash__(self): leak("hash")
    def __eq__(self, other): return True
def attack(x):
    class Quiet(str):
        pass
    return {Quiet("passed"): True}
""",
    "returns a million small dicts": """
def attack(x):
    return [{"passed": True} for _ in range(1_000_000)]
""",
    "returns two million empty strings": """
def attack(x):
    return [""] * 2_000_000
""",
    "returns NaN as a number": "def attack(x): return float('nan')\n",
    "returns infinity as a number": "def attack(x): return float('inf')\n",
    "returns a negative zero": "def attack(x): return -0.0\n",
    "returns a complex number": "def attack(x): return complex('nan')\n",
    "returns an Ellipsis": "def attack(x): return ...\n",
    "returns NotImplemented": "def attack(x): return NotImplemented\n",
    "returns an array of objects": """
import numpy
def attack(x):
    return numpy.array([object(), lambda: None], dtype=object)
""",
    "returns a structured array": """
import numpy
def attack(x):
    return numpy.zeros(3, dtype=[("passed", "?"), ("points", "f8")])
""",
    "returns a memory-mapped array of a file that shrinks": """
import numpy
def attack(x):
    open("/work/shrinks", "wb").write(bytes(1 << 16))
    mapped = numpy.memmap("/work/shrinks", dtype=numpy.uint8)
    os.truncate("/work/shrinks", 0)
    return mapped
""",
    "returns a range without end": """
def attack(x):
    return range(10 ** 18)
""",
    "returns a memoryview": """
def attack(x):
    return memoryview(bytearray(1 << 20))
""",
    "returns a date": """
import datetime
def attack(x):
    return datetime.datetime(1970, 1, 1)
""",
    "returns a message of the wire's own library": """
import msgspec
def attack(x):
    return [msgspec.msgpack.Ext(1, b"\\xff" * 100), msgspec.Raw(b"\\x01"), msgspec.UNSET]
""",
    "returns a tuple that is a list that is a tuple": """
import collections
Point = collections.namedtuple("Point", "passed points")
def attack(x):
    return Point(True, collections.deque([Point(True, 7)] * 5))
""",
}
