"""Whatever a worker answers, grading ends with a verdict: a report without points, that can be written down.

The peer here is no process but a list of answers, so that many can be tried.
"""

import os

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.grading.diagnosis import Diagnosis
from autograder.grading.grader import Grader
from autograder.grading.items import collected
from autograder.grading.student import Student, StudentError
from autograder.jail.inside import wire
from autograder.jail.template import Limits
from autograder.jail.worker import BadReply, Worker, WorkerLost
from autograder.submission import of
from tests.this_course import COURSE

STARTED = [0, True, None]


class Peer:
    """In place of a template: each worker that it starts sends `answers` (bytes) and hangs up."""

    isolated, jail = True, "bubblewrap"

    def __init__(self, answers):
        self.answers = answers

    def get(self, hash_seed):
        return self

    def spawn(self, connection, output_fd, folder, limits):
        connection.setblocking(False)
        for answer in self.answers:
            connection.send(answer)
        return 1

    def end(self, number, grace):
        return 0


def frame(body: bytes) -> bytes:
    return wire.LENGTH.pack(len(body)) + body


def packed(message) -> bytes:
    return frame(msgspec.msgpack.encode(message))


def extension(code, payload):
    return msgspec.msgpack.Ext(code, payload)


TENSORS = st.builds(
    lambda dtype, shape, data: extension(wire.TENSOR, msgspec.msgpack.encode([dtype, shape, data])),
    st.sampled_from([*wire.DTYPES, "object"]),
    st.lists(st.integers(-1, 4), max_size=4),
    st.sampled_from([bytes(n) for n in (0, 1, 2, 4, 8, 16, 32, 64)]),
)
HONEST_TENSORS = st.builds(
    lambda dtype, shape: wire.portable(torch.ones(shape, dtype=wire.DTYPES[dtype]), None),
    st.sampled_from(list(wire.DTYPES)),
    st.lists(st.integers(0, 3), max_size=4),
).map(lambda tensor: wire._encode_special(tensor))
ODD = st.sampled_from(
    [
        extension(wire.SURROGATE_TEXT, b"\xed\xa0\x80 lone"),
        extension(wire.BIG_INTEGER, b"\x7f" * 4000),
        extension(wire.HANDLE, bytes(8)),
        extension(99, b""),
        float("nan"),
        "\x1b[31m",
        2**63 - 1,
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
LEAVES = SCALARS | ODD | TENSORS | HONEST_TENSORS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
DESCRIPTIONS = st.fixed_dictionaries(
    {name: VALUES for name in ("kind", "type", "bases", "message", "file", "line", "source")}
)
ANSWERS = st.tuples(st.booleans() | LEAVES, VALUES | DESCRIPTIONS | st.lists(st.tuples(st.booleans(), VALUES)))


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWERS, max_size=6))
def test_any_answers_to_any_questions_are_values_or_verdicts(answers):
    numbered = [packed([number, *answer]) for number, answer in enumerate(answers, 1)]
    student = Student(lambda: Worker(Peer([packed(STARTED), *numbered]), {}, Limits()))
    questions = [
        lambda: student.begin(seed=1, seconds=5, names=["model.own.f"], not_allowed=["torch.nn.LayerNorm"]),
        lambda: student.model.own.f(1),
        lambda: student.batch(student.model.own.f, [(1,), (2,)]),
        lambda: student.parameters(student.model.own.f),
        lambda: student.files.list(),
        lambda: student.next(student.model.own.f),
    ]
    for ask in questions:
        try:
            ask()
        except (StudentError, StopIteration):
            continue
        except WorkerLost:
            break
    student.close()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.binary(max_size=60).map(frame), max_size=4))
def test_any_bytes_are_values_or_verdicts(chunks):
    student = Student(lambda: Worker(Peer([packed(STARTED), *chunks]), {}, Limits()))
    with pytest.raises((WorkerLost, StudentError)):
        student.begin(seed=1, seconds=5, names=["model.own.f"])
    student.close()


def test_a_whole_report_is_written_whatever_the_answers_are(jail):
    """All of rung 2, graded on answers from nowhere: an exception here would end a class."""
    rung = COURSE.rung(2)

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.lists(ANSWERS, min_size=3, max_size=8))
    def grade(answers):
        begun = [packed([number, True, None]) for number in (1, 2, 3)]  # begin, resolve, forbid: then the hostile part
        peer = Peer([packed(STARTED), *begun, *(packed([n, *answer]) for n, answer in enumerate(answers, 4))])
        report = Grader(COURSE, [rung], items, peer, Diagnosis({})).grade(of("hostile", {}), 5)
        assert report.points == 0
        msgspec.json.encode(report)

    with collected(COURSE, [rung]) as items:
        grade()


@pytest.mark.parametrize(
    "answer",
    [
        [torch.ones(2), True, None],  # a number that cannot be compared
        [True, True, None],
        [1, 1, None],
        [1, True],
        {"0": 1, "1": True, "2": None},
    ],
)
def test_an_answer_that_is_no_answer_is_a_bad_reply(answer):
    student = Student(lambda: Worker(Peer([packed(STARTED), wire.encode(answer)]), {}, Limits()))
    with pytest.raises(BadReply):
        student.begin(seed=1, seconds=5)


@pytest.mark.parametrize(
    "wrong",
    [{"line": 10**5000}, {"kind": 10**5000}, {"message": None}, {"bases": [3]}, {"file": b"x"}, {"source": ["x"]}],
)
def test_a_description_of_an_exception_that_is_none_is_a_verdict(wrong):
    honest = {"kind": "raised", "type": "E", "bases": [], "message": "m", "file": None, "line": 1, "source": ""}
    try:
        text = str(StudentError(honest | wrong)) + StudentError(honest | wrong).place()
    except BadReply:
        return
    assert text == "E: m"


def test_text_in_a_report_is_short_and_valid_whatever_was_sent():
    honest = {"kind": "raised", "type": "E", "bases": [], "file": None, "line": 1, "source": ""}
    error = StudentError(honest | {"message": "\ud800" + "m" * 10**6})
    assert len(error.message) <= 2000
    error.message.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd" + (40_000_000).to_bytes(4, "big") + b"\x90" * 40_000_000,  # 40 MB here, 3 GB when taken apart
        b"\xdd" + (8_000_000).to_bytes(4, "big") + b"\xd4\x01\x00" * 8_000_000,
        b"\x91" * 500 + b"\xc0",
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\x01" * 500 + b"\xc0",
    ],
    ids=["many lists", "many extensions", "deep lists", "deeper lists", "deep maps"],
)
def test_a_small_message_cannot_become_a_large_one(body):
    with pytest.raises(wire.WireError, match=r"values|levels|recursion"):
        wire.decode(body)


@pytest.mark.parametrize("count", [0, 1, 300_000])
def test_large_honest_messages_are_counted_right(count):
    tensors = [torch.ones(1000, dtype=torch.float64) for _ in range(300)]
    message = [list(range(count)), [1.5] * count, ["é" * 40] * (count // 10), {"k": None}, b"x" * 70_000, 10**30]
    arrived = wire.decode(wire.encode(wire.portable([tensors, *message], None))[wire.LENGTH.size :])
    assert arrived[1:] == message
    assert len(arrived[0]) == 300


def test_the_peer_leaves_nothing_open():
    before = len(os.listdir("/proc/self/fd"))
    test_any_bytes_are_values_or_verdicts()
    assert len(os.listdir("/proc/self/fd")) == before
