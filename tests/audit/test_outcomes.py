"""An interrupted audit goes on where it was, and never believes an outcome of other code."""

import pytest

from autograder import course
from autograder.audit import outcomes as audit_outcomes
from autograder.audit.outcomes import ItemOutcome, Job, Outcome, Shelf
from autograder.audit.subjects import solution, stubs

RUNG = course.find(2)
PASSED = Outcome([ItemOutcome("head-values", "passed", 8, "", 0.1)], {}, 0.5)


@pytest.fixture(autouse=True)
def empty_shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_outcomes, "KEPT", tmp_path)
    return tmp_path


def test_what_was_graded_is_not_graded_again():
    job = Job(solution(RUNG))
    Shelf().keep(job, PASSED)
    assert Shelf().find(job) == PASSED


def test_another_submission_seed_or_choice_of_items_is_another_job():
    Shelf().keep(Job(solution(RUNG)), PASSED)
    for other in Job(stubs(RUNG)), Job(solution(RUNG), seed=1), Job(solution(RUNG), items=("head-values",)):
        assert Shelf().find(other) is None


def test_half_a_line_left_by_a_killed_run_costs_that_line_only(empty_shelf):
    first, second = Job(solution(RUNG)), Job(stubs(RUNG))
    shelf = Shelf()
    shelf.keep(first, PASSED)
    shelf.keep(second, PASSED)
    (file,) = empty_shelf.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert Shelf().find(first) == PASSED
    assert Shelf().find(second) is None
    Shelf().keep(second, PASSED)
    assert Shelf().find(second) == PASSED


def test_a_change_of_the_grader_begins_a_new_shelf(empty_shelf, tmp_path, monkeypatch):
    Shelf().keep(Job(solution(RUNG)), PASSED)
    monkeypatch.setattr(audit_outcomes, "_state", lambda rung: "another")
    assert Shelf().find(Job(solution(RUNG))) is None
