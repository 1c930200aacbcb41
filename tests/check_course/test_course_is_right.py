"""A sample of what `make check-course` grades in full: enough to notice a rung, a record or the harness going wrong."""

import hashlib

from autograder.check_course import run, static
from autograder.grading.fingerprint import fingerprints
from autograder.grading.grader import available_jail
from tests.this_course import COURSE, SUBJECTS

SAMPLE = 3


def some(subjects: list) -> list:
    return sorted(subjects, key=lambda subject: hashlib.sha256(str(subject).encode()).digest())[:SAMPLE]


def test_anchors_edits_files_and_records_of_every_rung_fit_together():
    rungs = COURSE.rungs()
    under = fingerprints(COURSE, rungs)
    found = [problem for rung in rungs for problem in static.problems(COURSE, rung, SUBJECTS, under[rung.number])]
    assert [str(problem) for problem in found] == []


def test_solutions_and_alternatives_are_full_stubs_get_nothing_and_mistakes_are_caught_and_named():
    checked = run.check(COURSE, COURSE.rungs(), available_jail(), choose=some)
    assert [str(problem) for problem in checked.problems] == []
    assert all(len(rung.trials) == SAMPLE for rung in checked.rungs)
