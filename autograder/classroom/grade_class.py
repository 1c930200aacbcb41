"""Grades a class: one grader process per core, each started fresh, all results written as they come.

A report is written atomically to OUT/reports/STUDENT.json and is there once; an interrupted run (by kill -9, too)
goes on with what is missing, and grades again what an older grader graded. A student's report depends on their
submission alone, so it equals the one that `ladder grade` gives.
"""

from collections import Counter
from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder import course, report, submission
from autograder.classroom.handed_in import HandIn
from autograder.course import Course, Rung
from autograder.errors import HarnessFault, UnusableInput
from autograder.grading import say
from autograder.grading.fingerprint import fingerprints
from autograder.grading.grader import open_grader
from autograder.grading.parallel import Lifeline, Lost, share_out
from autograder.report import Report

SAME_DEATHS = 3  # so many submissions that end their processes in one way raise the question whose fault it is
NOBODY = HandIn("", Path())  # an empty submission


class Settings(msgspec.Struct, frozen=True):
    """What all grader processes of one run are told."""

    root: Path
    out: Path
    numbers: list[int]
    jail: str
    seed: int | None


def grade_class(
    hand_ins: list[HandIn],
    out: Path,
    course: Course,
    rungs: list[Rung],
    *,
    jail: str,
    trust: bool,
    seed: int | None = None,
) -> list[tuple[str, Report]]:
    """Grades all and returns (student, report) in order. Reports that are there and still fit are kept."""
    if jail == "none" and not trust:
        raise UnusableInput(
            "bubblewrap is not usable here, and a class's code must not run without it"
            " (Debian and Ubuntu: apt-get install bubblewrap). If you trust every submission: --trust"
        )
    under = {number: str(found) for number, found in fingerprints(course, rungs).items()}
    packages = course.config.packages
    waiting = [hand_in for hand_in in hand_ins if not _is_current(hand_in, out, packages, under, seed)]
    settings = Settings(course.root, out, [rung.number for rung in rungs], jail, seed)
    with _progress() as progress:
        task = progress.add_task("grading", total=len(hand_ins), completed=len(hand_ins) - len(waiting))
        lost: Counter[str] = Counter()
        for hand_in, answer in share_out(waiting, _serve, (settings,)):
            if isinstance(answer, Lost):
                lost[answer.reason] += 1
                if lost[answer.reason] == SAME_DEATHS:
                    _prove_the_harness(settings, answer.reason)
                handed_in = hand_in.read(packages)
                told = say.lost_report(handed_in, answer.reason, course, rungs, jail=jail, seed=seed)  # type: ignore[arg-type]
                report.write(told, _path(out, hand_in.student))
            progress.advance(task)
    return [(hand_in.student, report.read(_path(out, hand_in.student))) for hand_in in hand_ins]


def _path(out: Path, student: str) -> Path:
    return out / "reports" / f"{student}.json"


def _is_current(hand_in: HandIn, out: Path, packages: list[str], under: dict[int, str], seed: int | None) -> bool:
    """Whether a report is there that grading again would only repeat."""
    path = _path(out, hand_in.student)
    if not path.exists():
        return False
    try:
        there = report.read(path)
    except msgspec.DecodeError:  # a report of an older schema
        return False
    return (
        {rung.id: rung.fingerprint for rung in there.rungs} == under
        and there.submission.sha256 == hand_in.read(packages).sha256
        and (seed is None or there.seed == seed)
    )


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn())


def _serve(lifeline: Lifeline, settings: Settings) -> None:
    """A grader process: it writes the report of each submission it is handed. NOBODY's is only graded."""
    ours = course.read(settings.root)
    rungs = [ours.rung(number) for number in settings.numbers]
    with open_grader(ours, rungs, jail=settings.jail, lifeline=lifeline) as grader:
        for hand_in, answer in lifeline.requests():
            if hand_in == NOBODY:
                grader.grade(submission.of("", {}), settings.seed)
            else:
                graded = grader.grade(hand_in.read(ours.config.packages), settings.seed)
                report.write(graded, _path(settings.out, hand_in.student))
            answer(hand_in.student)


def _prove_the_harness(settings: Settings, reason: str) -> None:
    """Raises HarnessFault if an empty submission, too, ends a grader process: then it was not the submissions."""
    for _, answer in share_out([NOBODY], _serve, (settings,)):
        if isinstance(answer, Lost):
            raise HarnessFault(
                f"{SAME_DEATHS} submissions and an empty one ended their grader processes ({answer.reason}):"
                " the harness is at fault, or this machine is out of memory. What is graded so far is kept."
            )
