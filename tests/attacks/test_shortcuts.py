"""What an item forbids, or the course's list does not allow, is out of reach, whatever way is taken to it."""

import pytest

from autograder.grading.grader import open_grader
from autograder.submission import of
from tests.attacks import styles
from tests.attacks.compositions import ATTENTION, COMPOSED, LAYER, NORMS
from tests.attacks.rungs import part
from tests.attacks.shortcuts import CALLED, PREAMBLE, SHORTCUTS
from tests.this_course import COURSE, reference
from tests.this_course import grade as graded

AIMED_AT = ("attention-values", "attention-scale", "attention-large-scores")
RUNG = part(2, AIMED_AT)
NORM_RUNG = part(3, ("layer-norm-values", "layer-norm-eps"))
# These take some shapes only, fail by themselves, or need another program, which no submission may start.
IMPERFECT = (
    "by loading the module again", "by the fused kernel", "by the layer around it", "by the function around it",
    "in another interpreter", "the decomposition of an operator", "a layer for another device",
    "that layer in a sequence", "a subclass of that layer", "a script that is asked for by its inner name",
)  # fmt: skip
WAYS = SHORTCUTS | {way: COMPOSED + code for way, code in ATTENTION.items()}


@pytest.fixture(scope="module")
def grade_norms(jail):
    with open_grader(COURSE, [NORM_RUNG], jail=jail) as grader:
        yield lambda submission: grader.grade(submission, 5)


def submission(way):
    code = PREAMBLE + WAYS[way] + (CALLED if way in SHORTCUTS else "")
    return of("shortcut", reference() | {"model/attention.py": code.encode()})


def norm(way):
    return of("shortcut", reference() | {"model/block.py": (PREAMBLE + COMPOSED + NORMS[way] + LAYER).encode()})


@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_attention_earns_a_point(grade, way):
    report = grade(submission(way))
    assert report.points == 0, [(item.id, item.status) for item in report.rungs[0].items]


@pytest.mark.parametrize("way", NORMS)
def test_no_way_to_a_norm_earns_a_point(grade_norms, way):
    report = grade_norms(norm(way))
    assert report.points == 0, [(item.id, item.status) for item in report.rungs[0].items]


@pytest.mark.parametrize("way", ["by its name", "by an alias", "in a pool of threads"])
def test_the_verdict_says_what_is_not_allowed(grade, way):
    report = grade(submission(way))
    for item in report.rungs[0].items:
        assert "scaled_dot_product_attention is not allowed here: write it yourself" in item.seen


def test_the_verdict_says_where_something_was_called_that_is_not_on_the_list(grade):
    code = (
        PREAMBLE
        + "from torch.onnx.ops import attention as composed\n\n\ndef attention(*given):\n    composed(*given)\n"
    )
    line = code.split("\n").index("    composed(*given)") + 1
    item = grade(of("called", reference() | {"model/attention.py": code.encode()})).rungs[0].items[0]
    advice = "torch.onnx.ops.attention is not allowed here: write it yourself, with torch's arithmetic."
    assert item.seen == f"model/attention.py:{line}: {advice}"


def test_what_is_allowed_again_works_again(grade):
    """After an item that forbids a name comes one that does not: nothing is left behind, in this worker or another."""
    for way in ("by its name", "by the function around it", "a symbolic graph made at import"):
        grade(submission(way))
    assert grade(of("reference", reference())).points == sum(item.points for item in RUNG.items)


def test_these_ways_lead_to_the_operator_where_it_is_allowed(jail):
    """Else the tests above would show nothing."""
    allowed = part(2, AIMED_AT, not_allowed=[], seconds=60)
    leads = [way for way in WAYS if way not in IMPERFECT]
    reports = graded([submission(way) for way in leads], [allowed], jail=jail, seed=5)
    assert {way: report.points for way, report in zip(leads, reports, strict=True) if report.points < 5} == {}


def test_these_ways_lead_to_the_norm_where_it_is_allowed(jail):
    allowed = part(3, ("layer-norm-values", "layer-norm-eps"), not_allowed=[], seconds=60)
    reports = graded([norm(way) for way in NORMS], [allowed], jail=jail, seed=5)
    assert {way: report.points for way, report in zip(NORMS, reports, strict=True) if report.points < 5} == {}


@pytest.mark.parametrize(
    ("number", "file", "table"),
    [
        (2, "model/attention.py", styles.ATTENTION),
        (3, "model/block.py", {name: styles.START + code for name, code in styles.NORMS.items()}),
    ],
)
def test_honest_styles_that_nobody_listed_keep_every_point(jail, number, file, table):
    files = reference()
    made = [of(name, files | {file: files[file] + code.encode()}) for name, code in table.items()]
    reports = graded(made, [COURSE.rung(number)], jail=jail, seed=5)
    assert {name: report.points for name, report in zip(table, reports, strict=True) if report.points < 100} == {}
