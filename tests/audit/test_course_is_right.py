"""A sample of what `make check-course` grades in full: enough to notice a rung, a record or the harness going wrong."""

import hashlib

from autograder import course, grading
from autograder.audit import run, static

SAMPLE = 3


def some(subjects: list) -> list:
    return sorted(subjects, key=lambda one: hashlib.sha256(str(one).encode()).digest())[:SAMPLE]


def test_anchors_edits_files_and_records_of_every_rung_fit_together():
    assert [str(problem) for rung in course.milestones() for problem in static.problems(rung)] == []


def test_solutions_and_alternatives_are_full_stubs_get_nothing_and_mistakes_are_caught_and_named():
    audit = run.check(course.milestones(), grading.available_jail(), choose=some)
    assert [str(problem) for problem in audit.problems] == []
    assert all(len(rung.trials) == SAMPLE for rung in audit.rungs)
