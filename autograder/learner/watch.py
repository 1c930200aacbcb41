"""Grades again at each save, and says what changed since the run before."""

from collections.abc import Iterator
from pathlib import Path

import watchfiles

from autograder import submission
from autograder.course import Milestone
from autograder.grading import Grader, with_grader
from autograder.report import Report


def watch(work: Path, milestones: list[Milestone], jail: str, show) -> None:
    """Calls show(report, changes) at once and after every save, until interrupted."""

    def job(grader: Grader) -> None:
        before = None
        for _ in saves(work):
            after = grader.grade(submission.read(work))
            show(after, changes(before, after) if before else [])
            before = after

    with_grader(milestones, jail, job)


def saves(work: Path) -> Iterator[None]:
    yield None
    for _ in watchfiles.watch(work, watch_filter=watchfiles.PythonFilter(extra_extensions=[".md"])):
        yield None


def changes(before: Report, after: Report) -> list[str]:
    """One line for each item whose verdict differs."""
    old = {(m.id, item.id): item for m in before.milestones for item in m.items}
    lines = []
    for milestone in after.milestones:
        for item in milestone.items:
            previous = old[milestone.id, item.id]
            if (previous.status, previous.mistake) != (item.status, item.mistake):
                was = previous.mistake or previous.status
                lines.append(f"{milestone.id}/{item.id}: {was} -> {item.mistake or item.status}")
    return lines
