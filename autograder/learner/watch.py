"""Grades again at each save, and says what changed since the run before."""

from collections.abc import Iterator
from pathlib import Path

import watchfiles

from autograder import submission
from autograder.course import Course, Rung
from autograder.grading.grader import open_grader
from autograder.report import Report


def watch(work: Path, course: Course, rungs: list[Rung], jail: str, show) -> None:
    """Calls show(report, changes) at once and after every save, until interrupted."""
    with open_grader(course, rungs, jail=jail) as grader:
        before = None
        for _ in saves(work):
            after = grader.grade(submission.read(work))
            show(after, changes(before, after) if before else [])
            before = after


def saves(work: Path) -> Iterator[None]:
    yield None
    for _ in watchfiles.watch(work, watch_filter=watchfiles.PythonFilter(extra_extensions=[".md"])):
        yield None


def changes(before: Report, after: Report) -> list[str]:
    """One line for each item whose verdict differs."""
    old = {(rung.id, item.id): item for rung in before.rungs for item in rung.items}
    lines = []
    for rung in after.rungs:
        for item in rung.items:
            previous = old[rung.id, item.id]
            if (previous.status, previous.mistake) != (item.status, item.mistake):
                was = previous.mistake or previous.status
                lines.append(f"{rung.id}/{item.id}: {was} -> {item.mistake or item.status}")
    return lines
