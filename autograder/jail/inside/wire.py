"""What crosses the jail's wall: msgpack frames with raw tensor bytes, and nothing that can execute.

Both ends use this file, and each treats what it reads as hostile. A frame is an 8-byte big-endian length and that many
bytes of msgpack. Besides msgpack's own types there are four extensions: tensors (dtype, shape, bytes), handles (a
number that stands for an object on the jailed side), integers beyond 64 bits, and text with lone surrogates.

What one message may hold is bounded before anything of it is built: see MAX_VALUES, MAX_ELEMENTS and MAX_DEPTH. Whoever
reads from a connection bounds its bytes and its seconds.
"""

import math
import struct

import msgspec
import torch

TENSOR, HANDLE, BIG_INTEGER, SURROGATE_TEXT = 1, 2, 3, 4
LENGTH = struct.Struct(">Q")
MAX_DIMENSIONS = 16
MAX_DEPTH = 64
MAX_VALUES = 1_000_000  # of one message, when taken apart; a few bytes on the wire may be a hundred in memory
VALUES_PER_EXTENSION = 50  # a tensor, however small, is a large object
MAX_ELEMENTS = 1 << 21  # of all tensors in one message; honest replies have 50,000, and as lists they grow thirtyfold
MAX_INTEGER_BYTES = 8192
HANDLE_BYTES = 8

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
        torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64,
        torch.complex128,
    )
}  # fmt: skip


class WireError(Exception):
    """A value or a frame that must not cross."""


class Handle(msgspec.Struct, frozen=True):
    """Stands for an object that stays on the jailed side."""

    number: int


class _Tensor(msgspec.Struct, array_like=True):
    dtype: str
    shape: list[int]
    data: bytes


KEYS = {str, bytes, int, float, bool}
TYPES = {*KEYS, type(None), list, dict, torch.Tensor, Handle}

_plain = msgspec.msgpack.Encoder()
_tensor_decoder = msgspec.msgpack.Decoder(_Tensor)


def _encode_special(value):
    if isinstance(value, torch.Tensor):
        return msgspec.msgpack.Ext(TENSOR, _encode_tensor(value))
    raise WireError(f"a {type(value).__name__} cannot cross the jail's wall")


def _encode_tensor(tensor) -> bytes:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in DTYPES or tensor.layout is not torch.strided:
        raise WireError(f"a tensor of dtype {tensor.dtype} and layout {tensor.layout} cannot cross the jail's wall")
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return _plain.encode(_Tensor(name, list(tensor.shape), flat.view(torch.uint8).numpy().tobytes()))


class _Specials:
    """Decodes the extensions of one message, and counts what its tensors hold."""

    def __init__(self):
        self.elements = 0

    def decode(self, code, payload):
        if code == TENSOR:
            return self._tensor(_tensor_decoder.decode(payload))
        if code == HANDLE and len(payload) == HANDLE_BYTES:
            return Handle(int.from_bytes(payload, "big"))
        if code == BIG_INTEGER and len(payload) <= MAX_INTEGER_BYTES:
            return int.from_bytes(payload, "big", signed=True)
        if code == SURROGATE_TEXT:
            return bytes(payload).decode("utf-8", "surrogatepass")
        raise WireError(f"unknown or malformed extension {code}")

    def _tensor(self, raw: _Tensor) -> torch.Tensor:
        dtype = DTYPES.get(raw.dtype)
        if dtype is None:
            raise WireError(f"unknown dtype {raw.dtype[:40]!r}")
        if len(raw.shape) > MAX_DIMENSIONS or any(size < 0 for size in raw.shape):
            raise WireError("impossible tensor shape")
        self.elements += math.prod(max(size, 1) for size in raw.shape)  # one without elements has rows to list, too
        if self.elements > MAX_ELEMENTS:
            raise WireError(f"more than {MAX_ELEMENTS:,} elements of tensors in one message")
        if math.prod(raw.shape) * dtype.itemsize != len(raw.data):
            raise WireError(f"a tensor of shape {raw.shape} came with {len(raw.data)} bytes")
        if not raw.data:
            return torch.empty(raw.shape, dtype=dtype)
        if dtype is torch.bool:  # any byte other than 0 and 1 would be undefined behaviour in torch
            return torch.frombuffer(bytearray(raw.data), dtype=torch.uint8).ne(0).reshape(raw.shape)
        return torch.frombuffer(bytearray(raw.data), dtype=dtype).reshape(raw.shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_special)


def portable(value, stand_in, depth=0):
    """A copy of `value` made of what can cross; `stand_in(object)` gives a plain value or Handle for anything else."""
    if depth > MAX_DEPTH:
        raise WireError(f"a value nested more than {MAX_DEPTH} levels deep")
    kind = type(value)
    if value is None or kind in (bool, float, bytes):
        return value
    if kind is Handle:
        return msgspec.msgpack.Ext(HANDLE, value.number.to_bytes(HANDLE_BYTES, "big"))
    if kind is int:
        return value if -(2**63) <= value < 2**63 else _big_integer(value)
    if kind is str:
        return _text(value)
    if kind in (list, tuple):
        return [portable(part, stand_in, depth + 1) for part in value]
    if kind is dict and all(type(key) in (str, bytes, int, float, bool) for key in value):
        return {key: portable(part, stand_in, depth + 1) for key, part in value.items()}
    if isinstance(value, torch.Tensor):
        return value.detach()
    return portable(stand_in(value), stand_in, depth + 1)


def _big_integer(value):
    size = value.bit_length() // 8 + 1
    if size > MAX_INTEGER_BYTES:
        raise WireError(f"an integer of {size} bytes")
    return msgspec.msgpack.Ext(BIG_INTEGER, value.to_bytes(size, "big", signed=True))


def _text(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return msgspec.msgpack.Ext(SURROGATE_TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def encode(message) -> bytes:
    """The frame for a message that `portable` returned. Raises WireError."""
    try:
        body = _encoder.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError, RuntimeError, NotImplementedError) as error:
        raise WireError(str(error)) from error
    return LENGTH.pack(len(body)) + body


def decode(body):
    """The message in a frame's body. Raises WireError whatever the bytes."""
    try:
        if len(body) > MAX_VALUES:  # a shorter one cannot hold more, as each takes a byte
            _count_values(body)
        message = msgspec.msgpack.Decoder(ext_hook=_Specials().decode).decode(body)
    except WireError:
        raise
    except Exception as error:  # the decoder meets bytes that an attacker chose: any failure is the same verdict
        raise WireError(f"{type(error).__name__}: {error}") from error
    _check([message])
    return message


# How msgpack writes a value, by its first byte: bytes that follow, or the size of the length that does.
_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}  # lists and maps: what is in them follows as values of its own
_COUNTED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


def _count_values(body) -> None:
    """Raises WireError if a message holds more values than anybody sends, before they are made."""
    place, count, end = 0, 0, len(body)
    while place < end:
        first = body[place]
        place += 1
        count += 1
        if 0xA0 <= first < 0xC0:
            place += first & 0x1F
        elif first in _FIXED:
            place += _FIXED[first]
        elif first in _COUNTED:
            size = _COUNTED[first]
            place += size + int.from_bytes(body[place : place + size], "big")
        elif first in _EXTENSIONS:
            size = _EXTENSIONS[first]
            place += size + 1 + int.from_bytes(body[place : place + size], "big")
            count += VALUES_PER_EXTENSION
        elif first in _FIXED_EXTENSIONS:
            place += 1 + _FIXED_EXTENSIONS[first]
            count += VALUES_PER_EXTENSION
        if count > MAX_VALUES:
            raise WireError(f"more than {MAX_VALUES:,} values in one message")


def _check(message) -> None:
    """Raises WireError for what `portable` never makes: other types (msgpack has a time), odd keys, endless nesting."""
    level = [message]
    for _ in range(MAX_DEPTH + 4):  # what `portable` allows, and the message around it
        if any(set(map(type, whole)) - KEYS for whole in level if type(whole) is dict):
            raise WireError("a key that nobody sends")
        parts = [whole if type(whole) is list else whole.values() for whole in level]
        if any(set(map(type, each)) - TYPES for each in parts):
            raise WireError("a value of a type that nobody sends")
        level = [part for each in parts for part in each if type(part) in (list, dict)]
        if not level:
            return
    raise WireError(f"a value nested more than {MAX_DEPTH} levels deep")
