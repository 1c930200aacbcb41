"""What the grader is tried on: for each rung, submissions of which it is known how they must end.

Each is a full tree: the reference's files, with a rung's stubs, an alternative or an edit on top.
"""

from pathlib import Path
from typing import Literal

import msgspec

from autograder.course import Course, Rung, Text
from autograder.errors import CourseError
from autograder.grading import catalogue
from autograder.grading.catalogue import Edit, Mistake
from autograder.stubs import stub
from autograder.submission import Submission, of, read

Kind = Literal["solutions", "stubs", "alternative", "nothing", "mistake", "ported", "mutant"]

EDITS = "edits.toml"


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


class _Edits(msgspec.Struct, forbid_unknown_fields=True):
    """An alternative that differs from the reference in a few places: the same edits as a mistake's."""

    about: Text
    edit: list[Edit]


class Subjects:
    """The subjects of one course."""

    def __init__(self, course: Course):
        self._reference = read(course.solutions).files

    @property
    def reference(self) -> dict[str, bytes]:
        """The solutions' files, a dict of the caller's own."""
        return dict(self._reference)

    def solution(self, rung: Rung) -> Subject:
        return Subject(rung.number, "solutions", "solutions", self.reference)

    def stubs(self, rung: Rung) -> Subject:
        """The rung's stubs as shipped, on top of the reference's other rungs."""
        files = {file: stub(self._reference[file].decode()).encode() for file in rung.manifest.files}
        return Subject(rung.number, "stubs", "stubs", self.reference | files)

    def alternatives(self, rung: Rung) -> list[Subject]:
        """Right answers in other styles. Raises CourseError if an edits.toml is malformed or does not apply."""
        return self._in_folders(rung, "alternatives", "alternative")

    def nothing(self, rung: Rung) -> list[Subject]:
        """Submissions that look right and do none of the rung's work, one per family: zeros, echoes, constants, …

        They lie in hidden/nothing, in the form of alternatives. Raises CourseError like `alternatives`.
        """
        return self._in_folders(rung, "nothing", "nothing")

    def _in_folders(self, rung: Rung, folder: str, kind: Kind) -> list[Subject]:
        parent = rung.hidden / folder
        paths = sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
        return [Subject(rung.number, kind, path.name, self._laid_over(path)) for path in paths]

    def _laid_over(self, folder: Path) -> dict[str, bytes]:
        """The reference with the folder's files laid over it, or with the edits of its edits.toml made, or both."""
        files = read(folder).files
        edits = files.pop(EDITS, None)
        if edits is None:
            return self.reference | files
        try:
            found = msgspec.toml.decode(edits, type=_Edits).edit
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CourseError(f"{folder / EDITS}: {error}") from None
        return catalogue.apply(found, self.reference | files, str(folder / EDITS))

    def mistakes(self, rung: Rung) -> list[tuple[Mistake, Subject]]:
        """Raises CourseError if an edit does not apply."""
        return [
            (mistake, Subject(rung.number, "mistake", mistake.slug, self._with_mistake(mistake)))
            for mistake in catalogue.mistakes(rung)
        ]

    def _with_mistake(self, mistake: Mistake) -> dict[str, bytes]:
        return catalogue.apply(mistake.edits, self._reference, f"mistake {mistake.slug}")

    def ported(self, rung: Rung) -> list[tuple[Mistake, Subject]]:
        """Mistakes of this rung made in alternatives. Raises CourseError if an entry does not apply."""
        known = {mistake.slug: mistake for mistake in catalogue.mistakes(rung)}
        bases = {subject.name: subject.files for subject in self.alternatives(rung)}
        found = []
        for entry in catalogue.ported(rung):
            name = f"{entry.mistake} in {entry.alternative}"
            where = f"milestone {rung.number}: ported: {name}"
            if entry.mistake not in known or entry.alternative not in bases:
                raise CourseError(f"{where}: there is no such mistake or no such alternative")
            files = catalogue.apply([entry.edit], bases[entry.alternative], where)
            found.append((known[entry.mistake], Subject(rung.number, "ported", name, files)))
        return found
