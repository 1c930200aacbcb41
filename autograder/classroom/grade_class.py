"""Grades a class: one grader process per core, each started fresh, all results written as they come.

A report is written atomically to OUT/reports/STUDENT.json and is there once; an interrupted run (by kill -9, too)
goes on with what is missing. A student's report depends on their submission alone, so it equals the one that
`ladder grade` gives.
"""

import multiprocessing
import multiprocessing.connection
import os
from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder import __version__, course, report
from autograder.classroom.handed_in import HandedIn
from autograder.errors import HarnessFault, UnusableInput
from autograder.grading import Grader, with_grader
from autograder.report import Report

MAX_ATTEMPTS = 2


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
        _share_out(waiting, out, numbers, jail, seed, lambda: progress.advance(task))
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


def _share_out(waiting: list[HandedIn], out: Path, numbers: list[int], jail: str, seed, graded) -> None:
    """Hands submissions to grader processes, one at a time each, until all are done."""
    context = multiprocessing.get_context("spawn")  # a grader process never forks from one that has torch
    queue = list(reversed(waiting))
    attempts: dict[str, int] = {}
    busy: dict[multiprocessing.connection.Connection, HandedIn] = {}
    processes = []

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, out, numbers, jail, seed), daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
        feed(ours)

    def feed(connection) -> None:
        if queue:
            busy[connection] = queue.pop()
            connection.send(busy[connection])
        else:
            connection.close()
            busy.pop(connection, None)

    for _ in range(min(os.cpu_count() or 1, len(waiting))):
        start()
    while busy:
        ready = multiprocessing.connection.wait(list(busy))
        for connection in [there for there in busy if there in ready]:
            one = busy[connection]
            try:
                connection.recv()
            except EOFError:  # the grader process is gone: try once more in a fresh one, then give up loudly
                del busy[connection]
                attempts[one.student] = attempts.get(one.student, 0) + 1
                if attempts[one.student] >= MAX_ATTEMPTS:
                    raise HarnessFault(f"the grader process died twice on {one.path}") from None
                queue.append(one)
                start()
            else:
                graded()
                feed(connection)
    for process in processes:
        process.join()


def _serve(connection, out: Path, numbers: list[int], jail: str, seed: int | None) -> None:
    """A grader process: grades what comes over the connection until it closes."""

    def job(grader: Grader) -> None:
        while True:
            try:
                one = connection.recv()
            except EOFError:
                return
            report.write(grader.grade(one.read(), seed), _path(out, one.student))
            try:
                connection.send(one.student)
            except BrokenPipeError:  # the run was killed; what is written stays
                return

    with_grader([course.find(number) for number in numbers], jail, job)
