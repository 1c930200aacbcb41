"""The known mistakes of a rung (its hidden/mistakes/*.toml), each of them an edit of the reference in solutions/."""

from pathlib import Path

import msgspec

from autograder.course import Rung, Slug, Text
from autograder.errors import CourseError


class Edit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`find` occurs exactly once in `file`."""

    file: str
    find: Text
    replace: str


class Mistake(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`family` is the name shared by mistakes that cannot be told apart from outside. `rows` cites the source list."""

    slug: Slug
    file: str
    find: Text
    replace: str
    cause: Text
    hint: Text
    anchor: Text
    family: Slug | None = None
    rows: list[str] = []
    also: list[Edit] = []

    @property
    def edits(self) -> list[Edit]:
        return [Edit(self.file, self.find, self.replace), *self.also]

    @property
    def name(self) -> str:
        return self.family or self.slug


class Ported(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A catalogued mistake made in an alternative: a name must not depend on the reference's style."""

    mistake: Text
    alternative: Text
    file: str
    find: Text
    replace: str

    @property
    def edit(self) -> Edit:
        return Edit(self.file, self.find, self.replace)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    mistake: list[Mistake] = []
    ported: list[Ported] = []


def mistakes(rung: Rung) -> list[Mistake]:
    """The mistakes of one rung. Raises CourseError, naming file and field, if a file is malformed."""
    found = [mistake for file in _files(rung) for mistake in file.mistake]
    slugs = [mistake.slug for mistake in found]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise CourseError(f"{_folder(rung)}: slug: {slug!r} appears twice")
    return found


def ported(rung: Rung) -> list[Ported]:
    """The rung's mistakes that are made in alternatives as well."""
    return [entry for file in _files(rung) for entry in file.ported]


def _folder(rung: Rung) -> Path:
    return rung.hidden / "mistakes"


def _files(rung: Rung) -> list[_File]:
    files = []
    for path in sorted(_folder(rung).glob("*.toml")):
        try:
            files.append(msgspec.toml.decode(path.read_bytes(), type=_File))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CourseError(f"{path}: {error}") from None
    return files


def apply(edits: list[Edit], files: dict[str, bytes], whose: str) -> dict[str, bytes]:
    """The files with the edits made. Raises CourseError, naming `whose` they are, if a `find` is not there once."""
    files = dict(files)
    for edit in edits:
        if edit.file not in files:
            raise CourseError(f"{whose}: there is no {edit.file}")
        text = files[edit.file].decode()
        if text.count(edit.find) != 1:
            raise CourseError(f"{whose}: `find` occurs {text.count(edit.find)} times in {edit.file}")
        files[edit.file] = text.replace(edit.find, edit.replace).encode()
    return files
