"""What the fuzzers have found once, tried every time."""

import msgspec
import pytest
import torch

from autograder.jail.inside import wire
from autograder.report import ItemResult, Report, RungResult, SubmissionInfo
from tests.fuzz.reports import is_a_csv, is_a_table, is_written_and_read, reads_as_text
from tests.fuzz.wire import answers, decodes

NOTHING = b"\xc0"
TENSOR = msgspec.msgpack.encode(msgspec.msgpack.Ext(wire.TENSOR, wire._encode_tensor(torch.ones(2))))
BODIES = {
    "a list as a key": b"\x81\x90" + NOTHING,
    "a key two hundred levels deep": b"\x81" + b"\x91" * 200 + NOTHING + NOTHING,
    "a tensor as a key": b"\x81" + TENSOR + NOTHING,
    "a handle as a key": b"\x81\xd7\x02" + bytes(8) + NOTHING,
    "a time as a key": b"\x81\xd6\xff" + bytes(4) + NOTHING,
    "a time as a value": b"\xd6\xff" + bytes(4),
    "a time with nanoseconds": b"\xd7\xff" + bytes(8),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_no_worker_sends_does_not_come_out(name):
    """A value is made of what `portable` makes, keys included: the limit of depth looks at values only."""
    decodes(BODIES[name])


@pytest.mark.parametrize("value", [{}, [], True, 5, "x", None, torch.ones(2)], ids=repr)
def test_an_answer_in_place_of_a_handle_is_a_bad_reply(value):
    answers((True, value))


@pytest.mark.parametrize("shape", [["x", 2**31], [2.5], [-1], [True], [2**70], "xy", None], ids=repr)
def test_a_parameter_of_an_impossible_shape_is_a_bad_reply(shape):
    facts = {"dtype": "float64", "storage": 1, "requires_grad": True, "has_grad": True, "grad_zero": False}
    answers((True, [{"shape": shape, **facts}]))


def report(seen="", finding="", path="x") -> Report:
    item = ItemResult(id="a", title="A", status="failed", points=0, max_points=1, seen=seen)
    rung = RungResult(id=1, slug="r", title="R", points=0, max_points=1, seconds=0.0, fingerprint="f", items=[item])
    return Report(
        schema="c/report/2", submission=SubmissionInfo(path=path, sha256="0", findings=[finding] if finding else []),
        seed=1, jail="bubblewrap", points=0, max_points=1, rungs=[rung],
    )  # fmt: skip


@pytest.mark.parametrize("where", ["seen", "finding", "path"])
def test_lone_surrogates_are_written_and_read(where):
    is_written_and_read(report(**{where: "\ud800"}))


@pytest.mark.parametrize("word", ["\x1b[2J", "\r100/100 points", "\x85", "\u2028", "\u202e", "\x0c"], ids=ascii)
def test_words_are_spelled_out(word):
    reads_as_text(report(seen=word, finding=word))
    is_a_table([(word, report())])


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "a\nb", "\x1b[2J"], ids=ascii)
def test_a_students_name_is_one_cell_that_nothing_computes(name):
    is_a_csv([(name, report())])
