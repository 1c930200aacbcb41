"""Finds what a class handed in: one folder or archive per student, or nbgrader's submitted/ tree."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from autograder import submission
from autograder.classroom.archives import BrokenArchive, is_archive, read_archive
from autograder.errors import UnusableInput
from autograder.submission import Submission


class HandIn(msgspec.Struct, frozen=True):
    """One student's submission, not read yet."""

    student: str
    path: Path

    def read(self, packages: Iterable[str]) -> Submission:
        """The submission; one that cannot be read is an empty one with a finding."""
        try:
            return read_archive(self.path, packages) if self.path.is_file() else submission.read(self.path)
        except BrokenArchive as error:
            return Submission(str(self.path), submission.digest({}), {}, [str(error)])


def find(folder: Path, assignment: str | None = None) -> list[HandIn]:
    """Everything handed in under `folder`, by student. `assignment` names nbgrader's folder inside each student's."""
    if not folder.is_dir():
        raise UnusableInput(f"{folder} is not a folder; give the folder that holds one folder or archive per student")
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            inner = path / assignment if assignment else path
            archives = [inside for inside in sorted(inner.iterdir()) if is_archive(inside)] if inner.is_dir() else []
            found.append(HandIn(path.name, archives[0] if len(archives) == 1 else inner))
        elif is_archive(path):
            found.append(HandIn(path.name.split(".")[0], path))
    names = [hand_in.student for hand_in in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnusableInput(f"{twice[0]} handed in both a folder and an archive in {folder}; keep one of them")
    if not found:
        raise UnusableInput(f"nothing is handed in under {folder}: there is no folder and no archive")
    return found
