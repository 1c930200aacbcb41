"""Reads the catalogue: each mistake is a small edit of the reference, with a name, a cause and a hint."""

from pathlib import Path

import msgspec

from autograder.course import CourseError, Milestone, Slug, Text

HERE = Path(__file__).parent


class Edit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`find` occurs exactly once in the reference's `file`."""

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


class _File(msgspec.Struct, forbid_unknown_fields=True):
    mistake: list[Mistake] = []


def path_for(milestone: Milestone) -> Path:
    return HERE / f"{milestone.name}.toml"


def mistakes(milestone: Milestone) -> list[Mistake]:
    """The mistakes of one rung. Raises CourseError, naming file and field, where the file is malformed."""
    path = path_for(milestone)
    if not path.exists():
        return []
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File).mistake
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: {error}") from None
    slugs = [mistake.slug for mistake in found]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise CourseError(f"{path}: slug: {slug!r} appears twice")
    return found


def apply(mistake: Mistake, reference: dict[str, bytes]) -> dict[str, bytes]:
    """The reference's files with the mistake made. Raises CourseError where `find` is not there exactly once."""
    files = dict(reference)
    for edit in mistake.edits:
        if edit.file not in files:
            raise CourseError(f"mistake {mistake.slug}: there is no {edit.file}")
        text = files[edit.file].decode()
        if text.count(edit.find) != 1:
            raise CourseError(f"mistake {mistake.slug}: `find` occurs {text.count(edit.find)} times in {edit.file}")
        files[edit.file] = text.replace(edit.find, edit.replace).encode()
    return files
