"""What can be said of a rung without running anything: anchors, edits, files, names that a grader must not rely on."""

import ast
from collections.abc import Iterator

from autograder.audit.judge import Problem
from autograder.audit.subjects import mistakes, ported, reference
from autograder.course import CourseError, Milestone
from autograder.explain import anchor_of, headings
from autograder.mistakes import catalogue, diagnosis

NAMES_OF_PARAMETERS = {"named_parameters", "state_dict", "named_modules", "named_children", "get_submodule"}


def problems(milestone: Milestone) -> Iterator[Problem]:
    known = {anchor_of(line) for _, line in headings(milestone.handout.read_text())}
    anchors = [(item.id, item.anchor) for item in milestone.items]
    anchors += [(mistake.slug, mistake.anchor) for mistake in catalogue.mistakes(milestone)]
    for name, anchor in anchors:
        if anchor not in known:
            yield Problem(milestone.name, name, f"the handout has no heading with the anchor {anchor!r}")
    for file in milestone.manifest.files:
        if file not in reference():
            yield Problem(milestone.name, file, "is not in solutions/")
    try:
        mistakes(milestone)
        ported(milestone)
    except CourseError as error:
        yield Problem(milestone.name, "catalogue", str(error))
    if diagnosis.recorded_key(milestone) != diagnosis.key_for(milestone, reference()):
        yield Problem(milestone.name, "records", "are stale: run `ladder check-course --record` for this rung")
    yield from _names_read(milestone)


def _names_read(milestone: Milestone) -> Iterator[Problem]:
    """A grader must not depend on what a student calls parameters and modules; the contract leaves that free."""
    for node in ast.walk(ast.parse(milestone.grader.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in NAMES_OF_PARAMETERS:
            place = f"{milestone.grader.name}:{node.lineno}"
            yield Problem(milestone.name, place, f"reads parameter names through {node.attr}")
