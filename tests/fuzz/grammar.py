"""Bytes by the grammar of the wire: msgpack's own types and the four extensions, honest or almost."""

import struct

import msgspec
from hypothesis import strategies as st

from autograder.jail.inside import wire

SIZES = st.sampled_from([0, 1, 2, 3, 15, 16, 31, 32, 255, 256, 65535, 65536, 2**31 - 1, 2**32 - 1])
SHORT = st.binary(max_size=40)
INTEGERS = st.sampled_from([0, 1, 127, -1, -32, 2**31, 2**32, 2**63 - 1, -(2**63), 2**64 - 1]) | st.integers(0, 300)
WORDS = st.text(max_size=12) | st.sampled_from(["shape", "kind", "message", "line", "x" * 300])


def _sized(first: int, width: int, size: int, body: bytes) -> bytes:
    """A type that says its own size; `size` need not be the body's."""
    return bytes([first]) + (size % 256**width).to_bytes(width, "big") + body


def _counted(kinds):
    """Text, bytes: kinds are (first byte, width of the length)."""
    honest = st.tuples(st.sampled_from(kinds), SHORT).map(lambda p: _sized(*p[0], len(p[1]), p[1]))
    lying = st.tuples(st.sampled_from(kinds), SIZES, SHORT).map(lambda p: _sized(*p[0], p[1], p[2]))
    return honest | lying


SCALARS = (
    st.sampled_from([b"\xc0", b"\xc1", b"\xc2", b"\xc3"])
    | st.integers(0, 127).map(lambda n: bytes([n]))
    | st.integers(0xE0, 0xFF).map(lambda n: bytes([n]))
    | INTEGERS.map(msgspec.msgpack.encode)
    | st.tuples(st.sampled_from([0xCC, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3]), st.binary(max_size=8)).map(
        lambda p: bytes([p[0]]) + p[1]
    )
    | st.floats().map(lambda x: b"\xcb" + struct.pack(">d", x))
    | st.floats(width=32).map(lambda x: b"\xca" + struct.pack(">f", x))
)
TEXTS = WORDS.map(msgspec.msgpack.encode) | _counted([(0xD9, 1), (0xDA, 2), (0xDB, 4)])
BYTES = _counted([(0xC4, 1), (0xC5, 2), (0xC6, 4)])

TENSORS = st.tuples(
    st.sampled_from([*wire.DTYPES, "object", "", "float" * 100]),
    st.lists(st.integers(-1, 4) | SIZES, max_size=5) | st.just([1] * 20) | st.just([2**62, 2, 0]),
    st.sampled_from([bytes(n) for n in (0, 1, 2, 4, 8, 16, 64, 1000)]) | SHORT,
).map(msgspec.msgpack.encode)
PAYLOADS = {
    wire.TENSOR: TENSORS | SHORT,
    wire.HANDLE: st.binary(min_size=8, max_size=8) | SHORT,
    wire.BIG_INTEGER: st.sampled_from([b"", b"\x7f" * 4000, b"\x80" * 8192, b"\xff" * 8193]) | SHORT,
    wire.SURROGATE_TEXT: st.sampled_from([b"\xed\xa0\x80", b"\xff", b"\x1b[2J"]) | SHORT,
    -1: st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8) | st.binary(min_size=12, max_size=12),
    5: SHORT,
    127: SHORT,
}


@st.composite
def extensions(draw):
    code = draw(st.sampled_from(list(PAYLOADS)))
    payload = draw(PAYLOADS[code])
    size = len(payload) if draw(st.integers(0, 4)) else draw(SIZES)
    kind = bytes([code % 256])
    if size in (1, 2, 4, 8, 16) and draw(st.booleans()):
        return bytes([0xD4 + (1, 2, 4, 8, 16).index(size)]) + kind + payload
    first, width = draw(st.sampled_from([(0xC7, 1), (0xC8, 2), (0xC9, 4)]))
    return _sized(first, width, size, kind + payload)


def _containers(inner):
    parts = st.lists(inner, max_size=4)
    pairs = st.lists(st.tuples(inner | TEXTS, inner), max_size=3)
    lies = st.none() | st.none() | SIZES
    return (
        st.tuples(parts, lies).map(lambda p: _list(*p))
        | st.tuples(pairs, lies).map(lambda p: _map(*p))
        | st.tuples(inner, st.sampled_from([1, 20, 63, 64, 65, 66, 300])).map(lambda p: b"\x91" * p[1] + p[0])
    )


def _list(parts, size) -> bytes:
    body = b"".join(parts)
    if size is None:
        return bytes([0x90 | len(parts)]) + body
    return _sized(0xDC, 2, size, body) if size < 65536 else _sized(0xDD, 4, size, body)


def _map(pairs, size) -> bytes:
    body = b"".join(key + value for key, value in pairs)
    if size is None:
        return bytes([0x80 | len(pairs)]) + body
    return _sized(0xDE, 2, size, body) if size < 65536 else _sized(0xDF, 4, size, body)


VALUES = st.recursive(SCALARS | TEXTS | BYTES | extensions(), _containers, max_leaves=12)
REPLIES = st.tuples(INTEGERS.map(msgspec.msgpack.encode), st.sampled_from([b"\xc2", b"\xc3"]), VALUES).map(
    lambda parts: b"\x93" + b"".join(parts)
)


@st.composite
def mutated(draw, bodies):
    """A body with a few bytes changed, taken out, put in, said twice, or cut off."""
    body = bytearray(draw(bodies))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(0, len(body) - 1)))
        way = draw(st.sampled_from(["change", "insert", "delete", "cut", "double", "grow"]))
        if way == "change" and body:
            body[place] = draw(st.integers(0, 255))
        elif way == "insert":
            body[place:place] = draw(SHORT)
        elif way == "delete":
            del body[place : place + draw(st.integers(1, 8))]
        elif way == "cut":
            del body[place:]
        elif way == "double":
            body[place:place] = body[place : place + 20]
        elif way == "grow":
            body[place : place + 4] = b"\xff\xff\xff\xff"
    return bytes(body)


MESSAGES = mutated(VALUES | REPLIES)
