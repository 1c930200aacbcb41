"""What the grader is tried on: for each rung, submissions of which it is known how they must end."""

from functools import cache
from typing import Literal

import msgspec

from autograder.course import ROOT, SOLUTIONS, CourseError, Milestone, Text
from autograder.mistakes import catalogue
from autograder.mistakes.catalogue import Mistake
from autograder.stubs import stub
from autograder.submission import Submission, of, read

ALTERNATIVES = ROOT / "autograder" / "alternatives"
PORTED = ROOT / "autograder" / "mistakes" / "ported.toml"

Kind = Literal["solutions", "stubs", "alternative", "mistake", "ported", "mutant"]


class Subject(msgspec.Struct, frozen=True):
    """One submission to one rung. For a mistake, also a ported one, `name` is its slug."""

    rung: int
    kind: Kind
    name: str
    files: dict[str, bytes]

    def __str__(self) -> str:
        return f"milestone {self.rung}, {self.kind} {self.name}"

    @property
    def submission(self) -> Submission:
        return of(f"{self.kind}/{self.name}", self.files)


class Ported(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A catalogued mistake made in an alternative: `find` occurs exactly once in the alternative's `file`."""

    rung: int
    mistake: Text
    alternative: Text
    file: str
    find: Text
    replace: str


class _PortedFile(msgspec.Struct, forbid_unknown_fields=True):
    ported: list[Ported] = []


@cache
def _solutions() -> dict[str, bytes]:
    return read(SOLUTIONS).files


def reference() -> dict[str, bytes]:
    """The solutions' files, a dict of the caller's own."""
    return dict(_solutions())


def solution(milestone: Milestone) -> Subject:
    return Subject(milestone.number, "solutions", "solutions", reference())


def stubs(milestone: Milestone) -> Subject:
    """The rung's stubs as shipped, on top of the reference's other rungs."""
    files = {file: stub(reference()[file].decode()).encode() for file in milestone.manifest.files}
    return Subject(milestone.number, "stubs", "stubs", reference() | files)


def alternatives(milestone: Milestone) -> list[Subject]:
    folder = ALTERNATIVES / milestone.name
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [Subject(milestone.number, "alternative", path.name, reference() | read(path).files) for path in paths]


def mistakes(milestone: Milestone) -> list[tuple[Mistake, Subject]]:
    """Raises CourseError where an edit does not apply."""
    return [
        (mistake, Subject(milestone.number, "mistake", mistake.slug, catalogue.apply(mistake, reference())))
        for mistake in catalogue.mistakes(milestone)
    ]


def ported(milestone: Milestone) -> list[tuple[Mistake, Subject]]:
    """Mistakes of this rung made in alternatives. Raises CourseError where an entry of the list does not apply."""
    try:
        entries = msgspec.toml.decode(PORTED.read_bytes(), type=_PortedFile).ported
    except msgspec.DecodeError as error:
        raise CourseError(f"{PORTED}: {error}") from None
    known = {mistake.slug: mistake for mistake in catalogue.mistakes(milestone)}
    bases = {subject.name: subject.files for subject in alternatives(milestone)}
    found = []
    for entry in entries:
        if entry.rung != milestone.number:
            continue
        where = f"{PORTED}: {entry.mistake} in {entry.alternative}"
        if entry.mistake not in known or entry.alternative not in bases:
            raise CourseError(f"{where}: milestone {entry.rung} has no such mistake or no such alternative")
        files = dict(bases[entry.alternative])
        text = files[entry.file].decode()
        if text.count(entry.find) != 1:
            raise CourseError(f"{where}: `find` occurs {text.count(entry.find)} times in {entry.file}")
        files[entry.file] = text.replace(entry.find, entry.replace).encode()
        name = f"{entry.mistake} in {entry.alternative}"
        found.append((known[entry.mistake], Subject(milestone.number, "ported", name, files)))
    return found
