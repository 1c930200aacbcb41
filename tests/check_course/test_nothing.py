"""Submissions that do none of the work: there are some for each rung, and one that earns too much is a problem."""

import pytest

from autograder.check_course import judge
from autograder.grading.verdict import ItemOutcome, RungOutcome
from tests.this_course import COURSE, SUBJECTS

RUNGS = COURSE.rungs()
FAMILIES = 5


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_every_rung_has_some_of_each_family(rung):
    found = SUBJECTS.nothing(rung)
    assert len(found) >= FAMILIES
    assert {"zeros", "constants", "random", "refuses"} <= {subject.name for subject in found}
    assert len({subject.submission.sha256 for subject in found}) == len(found)


@pytest.mark.parametrize(("points", "problems"), [(5, 0), (6, 1)])
def test_one_that_earns_more_than_the_course_allows_is_a_problem(points, problems):
    rung = RUNGS[0]
    outcome = RungOutcome([ItemOutcome(id=rung.items[0].id, status="passed", points=points)], 0.1)
    found = list(judge.idle(rung, SUBJECTS.nothing(rung)[0], outcome, COURSE.config.nothing_earns_at_most))
    assert len(found) == problems
    assert all(f"earns {points} points" in problem.complaint for problem in found)
