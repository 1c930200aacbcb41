"""Nobody buys the points for quick work by slowing down what it is compared with, or by working when nobody looks."""

import pytest

from autograder.submission import of
from tests.attacks.catalogue.slowed_yardstick import ATTACKS, SLOW
from tests.attacks.rungs import part
from tests.this_course import reference

pytestmark = pytest.mark.long

RUNG = part(5, ["train-replay", "incremental"])


def slow(code=""):
    files = reference()
    files["tokenizer/bpe.py"] += (SLOW + code).encode()
    return of("slow", files)


def test_the_slow_trainer_is_right_and_too_slow(grade):
    """Else the attacks below would fail for another reason."""
    right, quick = grade(slow()).rungs[0].items
    assert right.status == "passed", right.seen
    assert quick.status == "failed"
    assert "took as long as counting all pairs" in quick.seen


@pytest.mark.parametrize("name", ATTACKS)
def test_slow_work_is_not_quick(grade, name):
    assert grade(slow(ATTACKS[name])).rungs[0].items[-1].status != "passed"
