"""What comes over the wall is bytes that an attacker may have chosen: it can only produce a value or a verdict."""

import contextlib
import struct

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.grading import replies
from autograder.grading.student import StudentError
from autograder.jail.inside import wire
from autograder.jail.worker import BadReply, WorkerFlooded, WorkerLost

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def crossed(value):
    frame = wire.encode(wire.portable(value, lambda other: wire.Handle(1)))
    return wire.decode(frame[wire.LENGTH.size :])


@given(PLAIN)
def test_plain_values_arrive_as_they_left(value):
    assert crossed(value) == value


@given(st.binary(max_size=200))
def test_any_bytes_decode_to_a_value_or_a_wire_error(data):
    with contextlib.suppress(wire.WireError):
        wire.decode(data)


@given(st.integers(-128, 127), st.binary(max_size=60))
def test_any_extension_decodes_to_a_value_or_a_wire_error(code, payload):
    with contextlib.suppress(wire.WireError):
        wire.decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(code, payload)))


@pytest.mark.parametrize("shape", [[2**26, 0], [0, 2**26], [1, 2**21, 2, 0]])
def test_a_tensor_without_elements_has_no_more_rows_than_one_with_them(shape):
    """A list of 2**26 empty rows takes gigabytes."""
    body = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.TENSOR, msgspec.msgpack.encode(["float32", shape, b""])))
    with pytest.raises(wire.WireError, match="elements of tensors"):
        wire.decode(body)


def test_the_elements_of_all_tensors_of_a_message_count():
    some = torch.zeros(wire.MAX_ELEMENTS // 4, dtype=torch.uint8)
    assert len(crossed([some] * 4)) == 4
    with pytest.raises(wire.WireError, match="elements of tensors"):
        crossed([some] * 5)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": ["x", 2**31]},
        {"shape": [2**31]},
        {"shape": [-1]},
        {"shape": [True]},
        {"dtype": "object"},
        {"storage": "here"},
        {"requires_grad": 1},
        {"more": 1},
    ],
)
def test_parameters_are_told_in_one_form(change):
    """A grader draws weights of these shapes: they are looked at before it does."""
    honest = {"shape": [2, 3], "dtype": "float32", "storage": 1, "requires_grad": True, "has_grad": False}
    honest["grad_zero"] = True
    assert replies.parameters([honest]) == [honest]
    with pytest.raises(BadReply):
        replies.parameters([honest | change])


def test_parameters_together_are_no_larger_than_what_can_be_sent():
    row = {"shape": [2**20], "dtype": "float32", "storage": 1, "requires_grad": True, "has_grad": False}
    with pytest.raises(BadReply):
        replies.parameters([row | {"grad_zero": True}] * 3)


@pytest.mark.parametrize("name", sorted(wire.DTYPES))
def test_tensors_arrive_with_dtype_shape_and_values(name):
    tensor = torch.arange(6).reshape(2, 3).to(wire.DTYPES[name])
    arrived = crossed([tensor, tensor.T, tensor[:0], tensor[0, 0]])
    for there, here in zip(arrived, [tensor, tensor.T, tensor[:0], tensor[0, 0]], strict=True):
        assert there.dtype == here.dtype
        assert there.shape == here.shape
        assert torch.equal(there, here)


@pytest.mark.parametrize(
    "forged",
    [
        ["float64", [2, 2], bytes(31)],
        ["float64", [2, -2], bytes(32)],
        ["float99", [1], bytes(8)],
        ["float64", [1] * 40, bytes(8)],
        ["float64", [2**62, 4], bytes(0)],
        ["float64", "x", bytes(8)],
        ["object", [1], bytes(8)],
    ],
)
def test_a_forged_tensor_is_a_wire_error(forged):
    body = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.TENSOR, msgspec.msgpack.encode(forged)))
    with pytest.raises(wire.WireError):
        wire.decode(body)


def test_lone_surrogates_and_big_integers_cross():
    assert crossed(["\ud800x", 2**200, -(2**200)]) == ["\ud800x", 2**200, -(2**200)]


TAKE_OVER = """
import os, struct
def send(data):
    os.write(3, data)
    os._exit(0)
def frame(body):
    return struct.pack(">Q", len(body)) + body
"""


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def lie(): send(frame(b'\\xc1'))", BadReply),
        ("def lie(): send(frame(b'\\x93\\x63\\xc3\\x01'))", BadReply),
        ("def lie(): send(struct.pack('>Q', 1 << 60))", WorkerFlooded),
        ("def lie(): send(struct.pack('>Q', 100) + b'short')", WorkerLost),
        ("def lie(): send(b'')", WorkerLost),
    ],
)
def test_a_forged_answer_is_a_verdict(submit, code, verdict):
    student = submit(TAKE_OVER + code)
    with pytest.raises(verdict):
        student.model.own.lie()


def test_an_answer_prepared_before_the_question_belongs_to_no_question(submit):
    body = msgspec.msgpack.encode([3, True, 99])
    student = submit(f"import os\ndef lie():\n    os.write(3, {struct.pack('>Q', len(body)) + body!r})\n    return 1")
    student.model.own.lie()  # the forged frame has this question's number, so it is taken for the answer
    with pytest.raises(BadReply):
        student.model.own.lie()  # and from here on nothing fits


def test_a_forged_exception_description_is_a_verdict(submit):
    student = submit(
        "import faults\nfaults.describe = lambda error, folder: {'kind': 3}\ndef fail(): raise ValueError('x')"
    )
    with pytest.raises(BadReply):
        student.model.own.fail()


def test_nan_and_wrong_dtypes_arrive_as_what_they_are(submit):
    student = submit(
        "import torch\n"
        "def nan(): return torch.full((2,), float('nan'))\n"
        "def half(): return torch.ones(2, dtype=torch.float16)\n"
        "def sparse(): return torch.eye(2).to_sparse()"
    )
    assert student.model.own.nan().isnan().all()
    assert student.model.own.half().dtype == torch.float16
    with pytest.raises(StudentError, match="cannot cross the jail"):
        student.model.own.sparse()
