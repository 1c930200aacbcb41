"""An interrupted check goes on where it was, and never believes an outcome of other code."""

import pytest

from autograder.check_course import outcomes
from autograder.check_course.outcomes import Job, OutcomeCache
from autograder.grading.fingerprint import Fingerprint
from autograder.grading.verdict import ItemOutcome, RungOutcome
from tests.this_course import COURSE, SUBJECTS

RUNG = COURSE.rung(2)
SOLUTION, STUBS = SUBJECTS.solution(RUNG), SUBJECTS.stubs(RUNG)
PASSED = RungOutcome([ItemOutcome(id="head-values", status="passed", points=8, strain=0.1)], 0.5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where outcomes are kept during a test."""
    monkeypatch.setattr(outcomes, "folder_of", lambda course: tmp_path)
    return tmp_path


def test_what_was_graded_is_not_graded_again(folder):
    job = Job(SOLUTION)
    OutcomeCache(COURSE).keep(job, PASSED)
    assert OutcomeCache(COURSE).find(job) == PASSED


def test_another_submission_seed_or_choice_of_items_is_another_job(folder):
    OutcomeCache(COURSE).keep(Job(SOLUTION), PASSED)
    for other in Job(STUBS), Job(SOLUTION, seed=1), Job(SOLUTION, items=("head-values",)):
        assert OutcomeCache(COURSE).find(other) is None


def test_half_a_line_left_by_a_killed_run_costs_that_line_only(folder):
    first, second = Job(SOLUTION), Job(STUBS)
    cache = OutcomeCache(COURSE)
    cache.keep(first, PASSED)
    cache.keep(second, PASSED)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert OutcomeCache(COURSE).find(first) == PASSED
    assert OutcomeCache(COURSE).find(second) is None
    OutcomeCache(COURSE).keep(second, PASSED)
    assert OutcomeCache(COURSE).find(second) == PASSED


def test_a_change_of_the_grader_begins_a_new_cache(folder, monkeypatch):
    OutcomeCache(COURSE).keep(Job(SOLUTION), PASSED)
    another = Fingerprint("another", "another")
    monkeypatch.setattr(outcomes, "fingerprints", lambda course, rungs: {rung.number: another for rung in rungs})
    assert OutcomeCache(COURSE).find(Job(SOLUTION)) is None
