import pytest

from autograder.grading.grader import open_grader
from tests.this_course import COURSE


@pytest.fixture(scope="module")
def grade(request, jail):
    """grade(submission) -> its report on the module's RUNG, all in one grading process, as in a class."""
    with open_grader(COURSE, [request.module.RUNG], jail=jail) as grader:
        yield lambda submission: grader.grade(submission, 5)
