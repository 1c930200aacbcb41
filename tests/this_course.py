"""The course that the tests run on: this one."""

from autograder import course
from autograder.check_course.subjects import Subjects
from autograder.grading import grader
from autograder.report import Report
from autograder.submission import Submission

COURSE = course.read()
SUBJECTS = Subjects(COURSE)
ROOT = COURSE.root
SOLUTIONS = COURSE.solutions


def reference() -> dict[str, bytes]:
    """The solutions' files, a dict of the caller's own."""
    return SUBJECTS.reference


def grade(submissions: list[Submission], rungs: list, *, jail: str, seed: int | None = None) -> list[Report]:
    return grader.grade(submissions, COURSE, rungs, jail=jail, seed=seed)
