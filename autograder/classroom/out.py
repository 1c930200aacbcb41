"""OUT, the folder that a class run writes to: its trouble is said in one sentence that names it, not a student."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from autograder import inert, report
from autograder.classroom.handed_in import HandIn
from autograder.errors import UnusableInput
from autograder.report import Report


class OutUnusable(UnusableInput):
    """OUT cannot hold the reports; the message names it. `results`: (student, report) of those that are in it."""

    def __init__(self, message: str, results: Sequence[tuple[str, Report]] = ()):
        super().__init__(message)
        self.results = list(results)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What goes wrong with the disk in this block is trouble with `path`: raises OutUnusable."""
    try:
        yield
    except OSError as error:
        raise OutUnusable(trouble(path, error)) from error


def trouble(path: Path, error: OSError) -> str:
    return (
        f"{inert.line(str(path))} cannot be written ({error.strerror or error})."
        " Reports that are there stay; make room or choose another folder, and run again: it goes on where it stopped."
    )


def require_out(out: Path) -> None:
    """Raises OutUnusable unless reports can be written to OUT, before anything is graded."""
    reports = out / "reports"
    with naming(out):
        reports.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=reports, prefix=".") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())


def report_path(out: Path, hand_in: HandIn) -> Path:
    return out / "reports" / f"{hand_in.report}.json"


def report_of(hand_in: HandIn, out: Path) -> Report | None:
    """The report that is there, or None: one that is cut short, of an older schema or unreadable counts as none."""
    try:
        return report.read(report_path(out, hand_in))
    except (OSError, msgspec.DecodeError):
        return None


def finished(hand_ins: list[HandIn], out: Path) -> list[tuple[str, Report]]:
    """(student, report) of each hand-in whose report is there, in order."""
    found = [(hand_in.student, report_of(hand_in, out)) for hand_in in hand_ins]
    return [(student, there) for student, there in found if there is not None]
