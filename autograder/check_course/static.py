"""What can be said of a rung without running anything: anchors, edits, files, names that a grader must not rely on."""

import ast
from collections.abc import Iterator

from autograder.check_course.judge import Problem
from autograder.check_course.subjects import Subjects
from autograder.course import Course, Rung
from autograder.errors import CourseError
from autograder.grading import catalogue, diagnosis
from autograder.grading.fingerprint import Fingerprint
from autograder.handout import anchor_of, headings


def problems(course: Course, rung: Rung, subjects: Subjects, under: Fingerprint) -> Iterator[Problem]:
    """Problems that are found from the files alone; `ladder check-course` grades nothing while there is one.

    under: the rung's fingerprint as it is now.
    """
    known = {anchor_of(line) for _, line in headings(rung.handout.read_text())}
    anchors = [(item.id, item.anchor) for item in rung.items]
    anchors += [(mistake.slug, mistake.anchor) for mistake in catalogue.mistakes(rung)]
    for name, anchor in anchors:
        if anchor not in known:
            yield Problem(rung.name, name, f"the handout has no heading with the anchor {anchor!r}")
    for file in rung.manifest.files:
        if file not in subjects.reference:
            yield Problem(rung.name, file, "is not in solutions/")
    try:
        subjects.mistakes(rung)
        subjects.ported(rung)
    except CourseError as error:
        yield Problem(rung.name, "catalogue", str(error))
    if diagnosis.recorded_under(rung) != under:
        yield Problem(rung.name, "records", "are stale: run `ladder check-course --record` for this rung")
    yield from _names_read(course, rung)


def _names_read(course: Course, rung: Rung) -> Iterator[Problem]:
    """A grader must not depend on what a student calls parameters and modules; the contract leaves that free."""
    for path in sorted(rung.grader.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in course.config.names_graders_must_not_read:
                yield Problem(rung.name, f"{path.name}:{node.lineno}", f"reads parameter names through {node.attr}")
