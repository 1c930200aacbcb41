"""What a verdict depends on, besides the submission and the seed: one answer for everybody who asks.

`measuring` stands for what decides points and evidence: torch, the engine's jail/ and grading/, the rung's manifest and
grader, and what graders share. `naming` adds what decides names: the catalogue, and the reference in which the
catalogued mistakes are made. Records hold the fingerprint that they were made under, check-course keeps an outcome
under `measuring`, a class run keeps a report while both are the same, and every report shows them.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch

from autograder.course import Course, Rung

ENGINE = Path(__file__).resolve().parent.parent
PARTS = ("course.py", "submission.py", "grading/*.py", "jail/**/*.py")
DIGITS = 16


class Fingerprint(msgspec.Struct, frozen=True):
    """Two hexadecimal digests, of DIGITS digits each."""

    measuring: str
    naming: str

    def __str__(self) -> str:
        return f"{self.measuring}/{self.naming}"


def fingerprints(course: Course, rungs: list[Rung]) -> dict[int, Fingerprint]:
    """The fingerprint of each rung's verdicts, by the rung's number, computed from the files as they are now."""
    shared = [torch.__version__.partition("+")[0].encode(), *_contents(_shared(course))]
    earlier: list[str] = []
    files = {}  # of each rung: what it and the rungs before it ask a student to write
    for rung in course.rungs():
        earlier += rung.manifest.files
        files[rung.number] = sorted(set(earlier))
    found = {}
    for rung in rungs:
        measuring = _digest([*shared, *_contents(_own(rung))])
        naming = _digest([measuring.encode(), *_contents(_naming(course, rung, files[rung.number]))])
        found[rung.number] = Fingerprint(measuring, naming)
    return found


def _shared(course: Course) -> Iterator[tuple[str, Path]]:
    """(name, path) of each file that decides points and evidence on all rungs."""
    for pattern in PARTS:
        yield from _named(ENGINE, pattern)
    for name in ("course.toml", "allowed.toml"):
        yield name, course.milestones / name
    yield from _named(course.shared, "**/*.py")


def _own(rung: Rung) -> Iterator[tuple[str, Path]]:
    """(name, path) of each file that decides points and evidence on this rung alone."""
    yield "milestone.toml", rung.folder / "milestone.toml"
    yield from _named(rung.hidden, "grader/*.py")


def _naming(course: Course, rung: Rung, files: list[str]) -> Iterator[tuple[str, Path]]:
    """(name, path) of each file that decides which names there are and what they look like."""
    yield from _named(rung.hidden, "mistakes/*.toml")
    for file in files:
        yield file, course.solutions / file


def _named(folder: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob(pattern)):
        yield path.relative_to(folder).as_posix(), path


def _contents(files: Iterator[tuple[str, Path]]) -> Iterator[bytes]:
    for name, path in files:
        yield name.encode()
        yield path.read_bytes() if path.exists() else b""  # check-course reports a missing file in its own words


def _digest(parts) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:DIGITS]
