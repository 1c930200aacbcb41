"""What check-course calls a problem."""

from autograder.check_course import judge
from autograder.check_course.outcomes import Job
from autograder.check_course.stability import flakes
from autograder.grading import catalogue
from autograder.grading.diagnosis import Diagnosis, Evidence
from autograder.grading.verdict import ItemOutcome, RungOutcome
from tests.this_course import COURSE, SUBJECTS

RUNG = COURSE.rung(2)
MISTAKE, OTHER = catalogue.mistakes(RUNG)[:2]
SUBJECT = SUBJECTS.solution(RUNG)
SEEN = Evidence([["values", False, [1.0]]], None)


def outcome(**statuses: str) -> RungOutcome:
    """All items of the rung passed, but for these (with _ for -)."""
    failed = {name.replace("_", "-"): status for name, status in statuses.items()}
    items = [
        ItemOutcome(id=item.id, status=status, points=0, evidence=SEEN if status == "failed" else None)
        for item in RUNG.items
        for status in [failed.get(item.id, "passed")]
    ]
    return RungOutcome(items, 0.1)


def diagnosis(records: dict[str, dict[str, Evidence]]) -> Diagnosis:
    known = {mistake.slug: mistake for mistake in (MISTAKE, OTHER)}
    return Diagnosis({RUNG.number: [(known[slug], seen) for slug, seen in records.items()]})


def complaints(found: RungOutcome, known: Diagnosis) -> str:
    return "; ".join(
        problem.complaint for problem in judge.wrong(RUNG, judge.trial(RUNG, SUBJECT, MISTAKE, found, known))
    )


def test_a_mistake_that_passes_everything_is_a_problem():
    assert complaints(outcome(), diagnosis({})) == "is not caught"


def test_a_mistake_without_a_name_is_a_problem():
    assert "not named" in complaints(outcome(head_values="failed"), diagnosis({}))


def test_a_mistake_under_the_name_of_another_is_a_problem():
    known = diagnosis({OTHER.slug: {"head-values": SEEN}})
    assert f"is named {OTHER.name}" in complaints(outcome(head_values="failed"), known)


def test_a_mistake_under_its_own_name_is_none():
    known = diagnosis({MISTAKE.slug: {"head-values": SEEN}})
    assert complaints(outcome(head_values="failed"), known) == ""


def test_an_item_is_idle_unless_a_mistake_needs_it_for_its_detection_or_its_name():
    seen = {"head-values": SEEN, "head-causal": SEEN}
    known = diagnosis({MISTAKE.slug: seen})
    both = judge.trial(RUNG, SUBJECT, MISTAKE, outcome(head_values="failed", head_causal="failed"), known)
    idle = {problem.subject for problem in judge.idle_items(RUNG, [both], known)}
    assert {"head-values", "head-causal"} <= idle
    alone = judge.trial(
        RUNG, SUBJECT, MISTAKE, outcome(head_values="failed"), diagnosis({MISTAKE.slug: {"head-values": SEEN}})
    )
    idle = {problem.subject for problem in judge.idle_items(RUNG, [both, alone], known)}
    assert "head-values" not in idle
    assert "head-causal" in idle


def test_a_verdict_that_changes_with_the_seed_is_a_flake():
    graded = [(Job(SUBJECT, 1), outcome()), (Job(SUBJECT, 2), outcome(dropout="failed")), (Job(SUBJECT, 3), outcome())]
    (flake,) = flakes(graded)
    assert (flake.item, flake.statuses) == ("dropout", {"passed": 2, "failed": 1})
