"""Finds what a class handed in: one folder or archive per student, or nbgrader's submitted/ tree.

Only the names in the class's folder are looked at here. What is in a hand-in is the reader's (autograder/intake/).
"""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

import msgspec

from autograder import inert
from autograder.errors import UnusableInput
from autograder.intake import Reader, is_archive
from autograder.intake.archives import stem
from autograder.submission import Submission

LONGEST_PLAIN = 100  # bytes of a student's name that is a report's name as it is
PREFIX = 40  # letters of a student's name that a report's name begins with if it can't be all of it


class HandIn(msgspec.Struct, frozen=True):
    """One student's submission, not read yet.

    student: its name in the class's folder, as text that can be written. report: the name of its report's file, which
    no other hand-in of the class has, on no file system. assignment: nbgrader's folder in the student's.
    """

    student: str
    path: Path
    report: str
    assignment: str | None = None

    def read(self, reader: Reader) -> Submission:
        """The submission; one that cannot be read is an empty one with a finding."""
        return reader.read(self.path, self.assignment)


def find(folder: Path, assignment: str | None = None) -> list[HandIn]:
    """Everything handed in under `folder`, by student. `assignment` names nbgrader's folder inside each student's.

    Links are hand-ins, too, since the instructor must hear of them; they are not followed.
    """
    if not folder.is_dir():
        raise UnusableInput(f"{folder} is not a folder; give the folder that holds one folder or archive per student")
    try:
        with os.scandir(folder) as entries:
            visible = sorted(
                (there for there in entries if not there.name.startswith(".")), key=lambda there: there.name
            )
    except OSError as error:
        raise UnusableInput(f"{folder} could not be listed ({error.strerror})") from error
    found: dict[str, Path] = {}
    for entry in visible:
        if entry.is_dir(follow_symlinks=False) or entry.is_symlink() or is_archive(entry.name):
            student = entry.name if entry.is_dir(follow_symlinks=False) else _without_suffix(entry.name)
            if student in found:
                raise UnusableInput(
                    f"{inert.line(student)} handed in both {inert.line(found[student].name)} and"
                    f" {inert.line(entry.name)} in {folder}; keep one of them"
                )
            found[student] = folder / entry.name
    if not found:
        raise UnusableInput(f"nothing is handed in under {folder}: there is no folder and no archive")
    reports = report_names(list(found))
    return [HandIn(inert.utf8(student), path, reports[student], assignment) for student, path in found.items()]


def _without_suffix(name: str) -> str:
    return stem(name) if is_archive(name) else name


def report_names(students: list[str]) -> dict[str, str]:
    """For each student's name, a file's name without suffix that differs from all others on any file system.

    It is the student's name itself if that is short and plain, and no other student's name is the same to a file system
    that ignores case or the way in which accents are written.
    """
    twins = Counter(map(_folded, students))
    return {
        student: student if _is_plain(student) and twins[_folded(student)] == 1 else _marked(student)
        for student in students
    }


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_plain(name: str) -> bool:
    # A name that ends as a marked one does must be marked itself: else a student could choose another's.
    marked = re.search(r"-[0-9a-f]{16}$", name)
    odd = name != inert.line(name) or name != unicodedata.normalize("NFC", name) or name != name.strip(" .")
    return not marked and not odd and len(name.encode()) <= LONGEST_PLAIN


def _marked(name: str) -> str:
    mark = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    start = re.sub(r"[^\w .,'()-]", "_", unicodedata.normalize("NFC", name))[:PREFIX].strip(" .")
    return f"{start}-{mark}"
