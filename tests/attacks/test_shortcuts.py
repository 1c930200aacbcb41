"""A library operator that an item forbids is out of reach, whatever way is taken to it."""

import pytest

from autograder.submission import of
from tests.attacks.rungs import part
from tests.attacks.shortcuts import CALLED, PREAMBLE, SHORTCUTS
from tests.this_course import grade as graded
from tests.this_course import reference

AIMED_AT = ("attention-values", "attention-scale", "attention-large-scores")
RUNG = part(2, AIMED_AT)
# These take some shapes only, fail by themselves, or need another program, which no submission may start.
IMPERFECT = (
    "by loading the module again", "by the fused kernel", "by the layer around it", "by the function around it",
    "in another interpreter",
)  # fmt: skip


def submission(code):
    return of("shortcut", reference() | {"model/attention.py": (PREAMBLE + code + CALLED).encode()})


@pytest.mark.parametrize("way", SHORTCUTS)
def test_a_forbidden_operator_is_out_of_reach(grade, way):
    report = grade(submission(SHORTCUTS[way]))
    assert report.points == 0, [(item.id, item.status) for item in report.rungs[0].items]


@pytest.mark.parametrize("way", ["by its name", "by an alias", "in a pool of threads", "by torch.ops"])
def test_the_verdict_says_what_is_not_allowed(grade, way):
    report = grade(submission(SHORTCUTS[way]))
    for item in report.rungs[0].items:
        assert "scaled_dot_product_attention is not allowed here: write it yourself" in item.seen


def test_what_is_allowed_again_works_again(grade):
    """After an item that forbids a name comes one that does not: nothing is left behind, in this worker or another."""
    for way in ("by its name", "by the function around it"):
        grade(submission(SHORTCUTS[way]))
    assert grade(of("reference", reference())).points == sum(item.points for item in RUNG.items)


def test_these_ways_lead_to_the_operator_where_it_is_allowed(jail):
    """Else the tests above would show nothing."""
    allowed = part(2, AIMED_AT, not_allowed=[])
    leads = [way for way in SHORTCUTS if way not in IMPERFECT]
    reports = graded([submission(SHORTCUTS[way]) for way in leads], [allowed], jail=jail, seed=5)
    assert {way: report.points for way, report in zip(leads, reports, strict=True) if report.points < 5} == {}
