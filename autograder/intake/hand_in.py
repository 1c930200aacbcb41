"""What counts of a hand-in: an archive's files, a folder's files, or those of the one archive in a folder."""

import os
import stat
from pathlib import PurePosixPath

from autograder.intake.archives import is_archive, take_archive, told
from autograder.submission import Collector, shown, take_folder

FOLDER = os.O_RDONLY | os.O_DIRECTORY
UNFOLLOWED = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # what has become a FIFO by now must not be waited for


def read(path: bytes, assignment: str | None, packages: set[str]) -> Collector:
    """Takes what lies at `path`, in the folder `assignment` in it if there is one. No link is followed from `path` on.

    Never raises: whatever goes wrong is a finding.
    """
    collector = Collector()
    parent, name = os.path.split(os.fsdecode(path))
    try:
        above = os.open(parent or ".", FOLDER)
        try:
            _take(above, name or ".", assignment, packages, collector)
        finally:
            os.close(above)
    except Exception as error:  # what was handed in is an attacker's
        collector.leave_out(list(collector.files))
        reason = (error.strerror or told(error)) if isinstance(error, OSError) else told(error)
        collector.note(f"{shown(name)} could not be read ({reason})")
    return collector


def _take(above: int, name: str, assignment: str | None, packages: set[str], collector: Collector) -> None:
    mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        collector.note(f"{shown(name)} is a link, and links are not followed: nothing of it was read")
    elif stat.S_ISDIR(mode):
        inside = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=above)
        try:
            if assignment is None:
                _take_folder(inside, packages, collector)
            else:
                _take_assignment(inside, assignment, packages, collector)
        finally:
            os.close(inside)
    elif stat.S_ISREG(mode):
        _take_archive(above, name, packages, collector)
    else:
        collector.note(f"{shown(name)} is not a regular file: nothing of it was read")


def _take_assignment(student: int, assignment: str, packages: set[str], collector: Collector) -> None:
    if assignment in os.listdir(student):
        _take(student, assignment, None, packages, collector)
    else:
        collector.note(f"there is no folder {shown(assignment)}: nothing was handed in for it")


def _take_archive(above: int, name: str, packages: set[str], collector: Collector) -> None:
    with os.fdopen(os.open(name, UNFOLLOWED, dir_fd=above), "rb") as file:
        take_archive(file, name, packages, collector)


def _take_folder(folder: int, packages: set[str], collector: Collector) -> None:
    """The folder's own files; those of the one archive in it if the folder holds no file of a workspace."""
    take_folder(folder, collector)
    if any(set(PurePosixPath(name).parts[:-1]) & packages for name in collector.files):
        return
    archives = _archives(folder)
    if len(archives) > 1:
        collector.note(f"there are {len(archives)} archives and no workspace; hand in one")
    elif archives:
        beside = list(collector.files)
        collector.leave_out(beside)
        _take(folder, archives[0], None, packages, collector)
        if beside:
            collector.note(f"{len(beside)} files beside {shown(archives[0])} were left out")


def _archives(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        found = [entry.name for entry in entries if is_archive(entry.name) and not entry.is_dir(follow_symlinks=False)]
    return sorted(name for name in found if not name.startswith("."))
