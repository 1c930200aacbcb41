"""The wire in both directions, and what replies of the right frame and the wrong form do to `Student`.

decoding     any bytes become a plain value within the limits, or WireError, in bounded time and memory
round-trips  what can be sent arrives as it was sent, to the bit
replies      whatever value a worker gives, Student says what was wrong, or gives one that graders can take apart
"""

import math
import struct
import time

import torch
from hypothesis import strategies as st

from autograder.grading.student import Student, StudentError
from autograder.jail.inside import wire
from autograder.jail.worker import WorkerLost
from tests.attacks import memory
from tests.fuzz.budget import Property, spend
from tests.fuzz.grammar import MESSAGES

LONGEST = 5.0  # seconds for a body of a few kilobytes; it takes milliseconds on a quiet machine
MOST_MEMORY = 256 * memory.MEBIBYTE
KEYS = (str, bytes, int, float, bool, type(None))


# decoding


def decodes(body: bytes) -> None:
    start, size = time.monotonic(), memory.forget_peak()
    try:
        value = wire.decode(body)
    except wire.WireError as error:
        short(str(error))
        return
    finally:
        assert time.monotonic() - start < LONGEST, "decoding took too long"
        assert memory.peak() - size < MOST_MEMORY, "decoding took too much memory"
    assert plain(value) <= wire.MAX_VALUES, "more values than may be in a message"


def short(text: str) -> None:
    """What is said of an answer does not grow with the answer, and can be written down."""
    assert len(text.encode()) < 20_000, "a message that says all that was sent"


def plain(value, depth: int = 0) -> int:
    """How many values there are in it. Raises AssertionError for one that is not plain, too deep or too large."""
    assert depth <= wire.MAX_DEPTH + 4, "nested too deep"
    kind = type(value)
    if kind is list:
        return 1 + sum(plain(part, depth + 1) for part in value)
    if kind is dict:
        assert all(type(key) in KEYS for key in value), f"keys of types {sorted({type(key).__name__ for key in value})}"
        return 1 + sum(plain(part, depth + 1) for part in value.values())
    if kind is int:
        assert value.bit_length() <= 8 * wire.MAX_INTEGER_BYTES, "an integer of too many digits"
    elif kind is torch.Tensor:
        assert value.dtype in wire.DTYPES.values()
        assert value.is_contiguous()
        assert value.device.type == "cpu"
        assert value.ndim <= wire.MAX_DIMENSIONS
        assert all(size >= 0 for size in value.shape)
    else:
        assert value is None or kind in (bool, float, str, bytes, wire.Handle), f"a {kind.__name__} came out"
    return 1


# round trips

DTYPES = st.sampled_from(list(wire.DTYPES.values()))
SHAPES = st.lists(st.integers(0, 3), max_size=5)


@st.composite
def tensors(draw):
    dtype, shape = draw(DTYPES), draw(SHAPES)
    data = draw(st.binary(min_size=math.prod(shape) * dtype.itemsize, max_size=math.prod(shape) * dtype.itemsize))
    if dtype is torch.bool:
        data = bytes(byte % 2 for byte in data)
    if not data:
        return torch.empty(shape, dtype=dtype)
    whole = torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
    return whole.transpose(0, -1) if len(shape) > 1 and draw(st.booleans()) else whole


TEXT = st.text(st.characters(), max_size=20) | st.text(st.characters(categories=["Cs", "Cc", "L"]), max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**300), 2**300)
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | TEXT
    | st.binary(max_size=50)
    | tensors()
    | st.integers(0, 2**64 - 1).map(wire.Handle)
)
PLAIN_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers(-(2**63), 2**63 - 1)
PORTABLE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_KEYS, inner, max_size=4), max_leaves=12
)


def arrives(value) -> None:
    frame = wire.encode(wire.portable(value, no_stand_in))
    (size,) = wire.LENGTH.unpack(frame[: wire.LENGTH.size])
    body = frame[wire.LENGTH.size :]
    assert size == len(body)
    assert same(value, wire.decode(bytearray(body))), "it arrived as something else"


def no_stand_in(value):
    raise AssertionError(f"a {type(value).__name__} has no plain form")


def same(sent, arrived) -> bool:
    """Equal to the bit, NaN and the sign of zero included."""
    if type(sent) is not type(arrived):
        return False
    if isinstance(sent, torch.Tensor):
        if (sent.dtype, sent.shape) != (arrived.dtype, arrived.shape):
            return False
        a, b = (t.contiguous().reshape(-1).view(torch.uint8) for t in (sent, arrived))
        return torch.equal(a, b)
    if isinstance(sent, float):
        return struct.pack(">d", sent) == struct.pack(">d", arrived)
    if isinstance(sent, list):
        return len(sent) == len(arrived) and all(map(same, sent, arrived))
    if isinstance(sent, dict):
        return list(sent) == list(arrived) and all(same(sent[key], arrived[key]) for key in sent)
    return sent == arrived


# replies

NAMES = ("kind", "type", "bases", "message", "file", "line", "source")
FACTS = ("shape", "dtype", "storage", "requires_grad", "has_grad", "grad_zero")
DESCRIPTIONS = st.fixed_dictionaries({}, optional={name: PORTABLE for name in NAMES})
PARAMETERS = st.fixed_dictionaries({}, optional={name: PORTABLE for name in FACTS})
SHAPED = st.lists(st.integers(-1, 2**62) | st.text(max_size=3) | st.floats() | st.booleans(), max_size=4)
LIKELY = {"dtype": st.just("float64"), "storage": st.integers(0, 2**63 - 1)} | {
    name: st.booleans() for name in ("requires_grad", "has_grad", "grad_zero")
}
ALMOST = st.fixed_dictionaries({"shape": SHAPED, **LIKELY})
PAIRS = st.lists(st.lists(st.booleans() | DESCRIPTIONS | PORTABLE, max_size=3), max_size=3)
ANSWERS = st.tuples(
    st.sampled_from([True, True, True, False]),
    PORTABLE | DESCRIPTIONS | PAIRS | st.lists(PARAMETERS | ALMOST, max_size=3) | st.lists(st.booleans(), max_size=3),
)


class Liar:
    """In place of a worker: after an honest beginning it gives one made-up answer to every question."""

    alive = True

    def __init__(self, held: bool, value):
        self.held, self.value, self.honest = held, value, 3

    def request(self, operation, *arguments, answer):
        if self.honest:
            self.honest -= 1
            return True, None
        return self.held, self.value

    def start_item(self, seconds: float) -> None:
        pass

    def printed(self) -> str:
        return ""

    def close(self, grace: float = 0.0) -> None:
        pass


def answers(answer) -> None:
    for name, ask in QUESTIONS.items():
        student = Student(lambda: Liar(*answer))
        student.begin(seed=1, seconds=5, names=["model.own.f"])
        try:
            value = ask(student)
        except StudentError as error:
            short(f"{error} {error.place()}")
        except (WorkerLost, StopIteration):
            pass
        else:
            assert FORMS.get(name, anything)(value), f"{name} gave {value!r:.300}"


QUESTIONS = {
    "call": lambda student: student.model.own.f(1),
    "keep": lambda student: student.keep(student.model.own.f, 1),
    "attempt": lambda student: student.attempt(student.model.own.f),
    "value": lambda student: student.value(student.model.own.f),
    "batch": lambda student: student.batch(student.model.own.f, [(1,), (2,)]),
    "repeat": lambda student: student.repeat(student.model.own.f, 3),
    "next": lambda student: student.next(student.model.own.f),
    "instrument": lambda student: student.instrument("tiny_model", 3, 4),
    "generator": lambda student: student.generator(5),
    "put": lambda student: student.put(torch.ones(2)),
    "parameters": lambda student: student.parameters(student.model.own.f),
    "get_parameters": lambda student: student.get_parameters(student.model.own.f),
    "gradients": lambda student: student.gradients(student.model.own.f),
    "modes": lambda student: student.modes(student.model.own.f),
    "backward": lambda student: student.backward(student.model.own.f),
    "files.list": lambda student: student.files.list(),
    "files.get": lambda student: student.files.get("notes/architecture.md"),
    "argument": lambda student: student.model.own.f(student.model.own.g),
}


def anything(value) -> bool:
    return True


def is_parameter(value) -> bool:
    """The documented form: a shape that a tensor can have, and facts of the types that they have."""
    return (
        isinstance(value, dict)
        and set(value) == set(FACTS)
        and isinstance(value["shape"], list)
        and all(type(size) is int and 0 <= size < 2**63 for size in value["shape"])
        and isinstance(value["dtype"], str)
        and type(value["storage"]) is int
        and all(type(value[name]) is bool for name in FACTS[3:])
    )


FORMS = {
    "batch": lambda value: isinstance(value, list) and len(value) == 2,
    "repeat": lambda value: isinstance(value, list) and len(value) == 3,
    "parameters": lambda value: isinstance(value, list) and all(map(is_parameter, value)),
    "modes": lambda value: isinstance(value, list),
    "get_parameters": lambda value: isinstance(value, list),
    "gradients": lambda value: isinstance(value, list),
    "files.list": lambda value: isinstance(value, list),
}

PROPERTIES = [
    Property("decoding", MESSAGES, decodes),
    Property("round-trips", PORTABLE, arrives),
    Property("replies", ANSWERS, answers),
]


def run(minutes: float) -> int:
    return spend("wire", PROPERTIES, minutes)
