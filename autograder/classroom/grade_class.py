"""Grades a class: one grader process per core, each started fresh, all results written as they come.

A report is written atomically to OUT/reports/STUDENT.json and is there once; an interrupted run (by kill -9, too)
goes on with what is missing. A student's report depends on their submission alone, so it equals the one that
`ladder grade` gives.
"""

from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder import __version__, course, report
from autograder.classroom.handed_in import HandedIn
from autograder.errors import UnusableInput
from autograder.grading import Grader, with_grader
from autograder.parallel import requests, share_out
from autograder.report import Report


def grade_class(
    handed_in: list[HandedIn], out: Path, numbers: list[int], *, jail: str, trust: bool, seed: int | None = None
) -> list[tuple[str, Report]]:
    """Grades all and returns (student, report) in order. Reports that are there and still fit are kept."""
    if jail == "none" and not trust:
        raise UnusableInput(
            "bubblewrap is not usable here, and a class's code must not run without it"
            " (Debian and Ubuntu: apt-get install bubblewrap). If you trust every submission: --trust"
        )
    waiting = [one for one in handed_in if not _is_current(one, out, numbers, seed)]
    with _progress() as progress:
        task = progress.add_task("grading", total=len(handed_in), completed=len(handed_in) - len(waiting))
        for _ in share_out(waiting, _serve, (out, numbers, jail, seed)):
            progress.advance(task)
    return [(one.student, _read(_path(out, one.student))) for one in handed_in]


def _path(out: Path, student: str) -> Path:
    return out / "reports" / f"{student}.json"


def _read(path: Path) -> Report:
    return msgspec.json.decode(path.read_bytes(), type=Report)


def _is_current(one: HandedIn, out: Path, numbers: list[int], seed: int | None) -> bool:
    """Whether a report is there that grading again would only repeat."""
    path = _path(out, one.student)
    if not path.exists():
        return False
    there = _read(path)
    return (
        there.harness == __version__
        and [milestone.id for milestone in there.milestones] == numbers
        and there.submission.sha256 == one.read().sha256
        and (seed is None or there.seed == seed)
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn())


def _serve(connection, out: Path, numbers: list[int], jail: str, seed: int | None) -> None:
    """A grader process: it writes the report of each submission it is handed."""

    def job(grader: Grader) -> None:
        for one in requests(connection):
            report.write(grader.grade(one.read(), seed), _path(out, one.student))
            try:
                connection.send(one.student)
            except BrokenPipeError:  # the run was killed; what is written stays
                return

    with_grader([course.find(number) for number in numbers], jail, job)
