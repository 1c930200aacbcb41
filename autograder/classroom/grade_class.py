"""Grades a class: one grader process per core, each started fresh, all results written as they come.

A report is written atomically to OUT/reports/, under a name of the student's own (HandIn.report), and is there once;
an interrupted run (by kill -9, too) goes on with what is missing, and grades again what an older grader graded. A
student's report depends on their submission alone, so it equals the one that `ladder grade` gives.
"""

from collections import Counter
from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder import course, report, submission
from autograder.classroom.handed_in import HandIn
from autograder.classroom.out import OutUnusable, finished, report_of, report_path, require_out, trouble
from autograder.course import Course, Rung
from autograder.errors import HarnessFault, UnusableInput
from autograder.grading import say
from autograder.grading.fingerprint import fingerprints
from autograder.grading.grader import open_grader
from autograder.grading.parallel import Lifeline, Lost, share_out
from autograder.intake import Reader
from autograder.report import Report

SAME_DEATHS = 3  # so many submissions that end their processes in one way raise the question whose fault it is
NOBODY = HandIn("", Path(), "")  # an empty submission


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
    """Grades all and returns (student, report) in order. Reports that are there and still fit are kept.

    Raises OutUnusable if OUT cannot hold the reports; those that are there stay.
    """
    if jail == "none" and not trust:
        raise UnusableInput(
            "bubblewrap is not usable here, and a class's code must not run without it"
            " (Debian and Ubuntu: apt-get install bubblewrap). If you trust every submission: --trust"
        )
    under = {number: str(found) for number, found in fingerprints(course, rungs).items()}
    require_out(out)
    with Reader(course.config.packages) as reader:
        waiting = [hand_in for hand_in in hand_ins if not _is_current(hand_in, out, reader, under, seed)]
    settings = Settings(course.root, out, [rung.number for rung in rungs], jail, seed)
    with _progress() as progress:
        task = progress.add_task("grading", total=len(hand_ins), completed=len(hand_ins) - len(waiting))
        lost: Counter[str] = Counter()
        for hand_in, answer in share_out(list(waiting), _serve, (settings,)):
            if isinstance(answer, Lost):
                lost[answer.reason] += 1
                if lost[answer.reason] == SAME_DEATHS:
                    _prove_the_harness(settings, answer.reason)
                answer = _write_lost(hand_in, answer, course, rungs, settings)
            if answer:
                raise OutUnusable(answer, finished([there for there in hand_ins if there not in waiting], out))
            waiting.remove(hand_in)
            progress.advance(task)
    results = finished(hand_ins, out)
    if gone := len(hand_ins) - len(results):
        raise OutUnusable(f"{out} has lost {gone} reports during the run. Run again: they are made anew.", results)
    return results


def _is_current(hand_in: HandIn, out: Path, reader: Reader, under: dict[int, str], seed: int | None) -> bool:
    """Whether a report is there that grading again would only repeat."""
    there = report_of(hand_in, out)
    if there is None or {rung.id: rung.fingerprint for rung in there.rungs} != under:
        return False
    now = hand_in.read(reader)
    same = (there.submission.sha256, there.submission.findings) == (now.sha256, now.findings)
    return same and (seed is None or there.seed == seed)


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn())


def _serve(lifeline: Lifeline, settings: Settings) -> None:
    """A grader process: it writes the report of each submission it is handed; NOBODY's is only graded.

    It answers with an empty text, or with what is wrong with OUT if the report could not be written.
    """
    ours = course.read(settings.root)
    rungs = [ours.rung(number) for number in settings.numbers]
    with (
        open_grader(ours, rungs, jail=settings.jail, lifeline=lifeline) as grader,
        Reader(ours.config.packages) as reader,
    ):
        for hand_in, answer in lifeline.requests():
            if hand_in == NOBODY:
                grader.grade(submission.of("", {}), settings.seed)
                answer("")
            else:
                answer(_written(grader.grade(hand_in.read(reader), settings.seed), hand_in, settings))


def _written(graded: Report, hand_in: HandIn, settings: Settings) -> str:
    """Writes the report; an empty text, or what is wrong with OUT."""
    try:
        report.write(graded, report_path(settings.out, hand_in))
    except OSError as error:
        return trouble(settings.out, error)
    return ""


def _write_lost(hand_in: HandIn, lost: Lost, course: Course, rungs: list[Rung], settings: Settings) -> str:
    """The same for a submission that ended its grader process twice."""
    with Reader(course.config.packages) as reader:
        handed_in = hand_in.read(reader)
    told = say.lost_report(handed_in, lost.reason, course, rungs, jail=settings.jail, seed=settings.seed)  # type: ignore[arg-type]
    return _written(told, hand_in, settings)


def _prove_the_harness(settings: Settings, reason: str) -> None:
    """Raises HarnessFault if an empty submission, too, ends a grader process: then it was not the submissions."""
    for _, answer in share_out([NOBODY], _serve, (settings,)):
        if isinstance(answer, Lost):
            raise HarnessFault(
                f"{SAME_DEATHS} submissions and an empty one ended their grader processes ({answer.reason}):"
                " the harness is at fault, or this machine is out of memory. What is graded so far is kept."
            )
