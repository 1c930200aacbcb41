"""Takes a submission's files as bytes, once, before anything runs: what is graded is what was read here."""

import hashlib
import itertools
import os
import stat
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

import msgspec

from autograder.errors import UnusableInput

SUFFIXES = {".py", ".md", ".txt", ".json", ".toml", ".csv"}
MAX_FILE = 1 << 20
MAX_FILES = 500
MAX_TOTAL = 16 << 20
MAX_ENTRIES = 20_000  # whatever lies in a submission, wanted or not
MAX_DEPTH = 32
MAX_PART, MAX_NAME = 255, 1000  # bytes of a file's name, and of its whole path inside the submission
MAX_FINDINGS = 10  # shown; the rest is counted
MAX_FINDING, MAX_SHOWN = 300, 80  # letters of a finding, and of a name in it


class Submission(msgspec.Struct, frozen=True):
    """`files` maps relative POSIX paths to contents; `findings` lists what was left out, and why."""

    path: str
    sha256: str
    files: dict[str, bytes]
    findings: list[str]


def of(path: str, files: dict[str, bytes]) -> Submission:
    """A submission whose files are in memory already."""
    return Submission(path, digest(files), files, [])


class Collector:
    """Takes files up to the limits, and notes what it leaves out. `files` has what was taken."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._noted: list[str] = []
        self._unshown = 0
        self._total = 0
        self._entries = 0

    @property
    def findings(self) -> list[str]:
        return [*self._noted, f"and {self._unshown:,} more"] if self._unshown else list(self._noted)

    @property
    def room(self) -> int:
        """How many more entries are looked at."""
        return MAX_ENTRIES - self._entries

    def count(self, entries: int) -> None:
        self._entries += entries

    def note(self, finding: str) -> None:
        if len(self._noted) < MAX_FINDINGS:
            self._noted.append(readable(finding)[:MAX_FINDING])
        else:
            self._unshown += 1

    def wants(self, name: PurePath) -> bool:
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        return name.suffix in SUFFIXES and not hidden

    def take(self, name: str, file: IO[bytes]) -> None:
        """Takes a file unless its name or its size says no. Raises what reading it raises."""
        if reason := unfit(name):
            self.note(f"{shown(name)} {reason} and was left out")
        elif len(self.files) >= MAX_FILES or self._total >= MAX_TOTAL:
            self.note(f"{shown(name)} was left out: the submission is too large")
        else:
            self._keep(name, file.read(MAX_FILE + 1))

    def _keep(self, name: str, data: bytes) -> None:
        total = self._total + len(data) - len(self.files.get(name, b""))
        if len(data) > MAX_FILE:
            self.note(f"{shown(name)} has more than {MAX_FILE:,} bytes and was left out")
        elif total > MAX_TOTAL:
            self.note(f"{shown(name)} was left out: the submission is too large")
        else:
            if name in self.files:  # an archive may hold one name twice; whoever unpacks it keeps the later one
                self.note(f"{shown(name)} is there twice; the later one counts")
            self._total = total
            self.files[name] = data

    def leave_out(self, names: list[str]) -> None:
        """Takes files back; saying why is the caller's."""
        for name in names:
            self._total -= len(self.files.pop(name))


def unfit(name: str) -> str:
    """Why a file cannot have this name in a submission; empty if it can."""
    parts = name.split("/")
    if readable(name) != name:
        return "has a name that is not UTF-8"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "has a name with control characters"
    if len(parts) > MAX_DEPTH:
        return f"lies more than {MAX_DEPTH} folders deep"
    if len(name.encode()) > MAX_NAME or max(len(part.encode()) for part in parts) > MAX_PART:
        return "has a name that is too long"
    return ""


def shown(name: str) -> str:
    """A name as a finding gives it: one that is very long loses its middle."""
    half = MAX_SHOWN // 2
    return name if len(name) <= MAX_SHOWN else f"{name[:half]}…{name[1 - half :]}"


def readable(name: str) -> str:
    """A file's name as it may stand in a report: what is not UTF-8 in it becomes question marks."""
    return name.encode("utf-8", "replace").decode()


def read(folder: Path) -> Submission:
    """Reads a submission's folder, which may be a link itself. In it, links, special files and large files are left
    out and named in `findings`."""
    if not folder.is_dir():
        raise UnusableInput(
            f"{folder} is not a folder. To begin: make milestone-1, edit the files it names, then make grade."
        )
    collector = Collector()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        take_folder(descriptor, collector)
    finally:
        os.close(descriptor)
    return Submission(readable(str(folder)), digest(collector.files), collector.files, collector.findings)


def take_folder(descriptor: int, collector: Collector) -> None:
    """Takes the files under an open folder.

    Each name is opened below its own folder's descriptor, so no path can become too long or lead elsewhere.
    """
    linked = _take_folder(descriptor, PurePosixPath(), os.fstat(descriptor).st_uid, collector)
    if linked:
        more = f" and {len(linked) - 1} more files have" if len(linked) > 1 else " has"
        collector.note(f"{shown(linked[0])}{more} other names on this disk (hard links); what is in them counts")


def _take_folder(descriptor: int, inside: PurePosixPath, owner: int, collector: Collector) -> list[str]:
    """Returns those of the files that it took which have other names on the disk."""
    entries = _listing(descriptor, collector.room)
    if entries is None:
        place = shown(str(inside)) if inside.parts else "the folder"
        collector.note(f"{place} was left out: there are more than {MAX_ENTRIES:,} files")
        return []
    collector.count(len(entries))
    folders, linked = [], []
    for entry in entries:
        path = inside / entry.name
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_symlink():
            collector.note(f"{shown(str(path))} is a link and was left out")
        elif entry.is_dir(follow_symlinks=False):
            folders.append(path)
        elif collector.wants(path) and not entry.is_file(follow_symlinks=False):
            collector.note(f"{shown(str(path))} is not a regular file and was left out")
        elif collector.wants(path):
            linked += _take_file(descriptor, path, owner, collector)
    for path in folders:
        linked += _take_inner(descriptor, path, owner, collector)
    return linked


def _listing(descriptor: int, room: int) -> list[os.DirEntry] | None:
    """A folder's entries by name, or None if it has more than there is room for."""
    with os.scandir(descriptor) as entries:
        found = list(itertools.islice(entries, room + 1))
    return sorted(found, key=lambda entry: entry.name) if len(found) <= room else None


def _take_inner(descriptor: int, path: PurePosixPath, owner: int, collector: Collector) -> list[str]:
    if len(path.parts) >= MAX_DEPTH:
        collector.note(f"{shown(str(path))} lies {MAX_DEPTH} folders deep and was left out")
        return []
    try:
        inner = os.open(path.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
    except OSError as error:
        collector.note(f"{shown(str(path))} could not be read ({error.strerror}) and was left out")
        return []
    try:
        return _take_folder(inner, path, owner, collector)
    finally:
        os.close(inner)


def _take_file(descriptor: int, path: PurePosixPath, owner: int, collector: Collector) -> list[str]:
    """Returns the file's name if it was taken and has other names on the disk."""
    name = shown(str(path))
    # O_NOFOLLOW and O_NONBLOCK: what has become a link or a FIFO by now must neither be followed nor waited for
    try:
        opened = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        with os.fdopen(opened, "rb") as file:
            status = os.fstat(opened)
            linked = status.st_nlink > 1
            if not stat.S_ISREG(status.st_mode):
                collector.note(f"{name} is not a regular file and was left out")
            elif linked and status.st_uid != owner:
                # Who links to a neighbour's file does not become its owner; the neighbour's own name for it counts.
                collector.note(f"{name} is a hard link to another user's file and was left out")
            else:
                collector.take(str(path), file)
                return [str(path)] if linked and str(path) in collector.files else []
    except OSError as error:
        collector.note(f"{name} could not be read ({error.strerror}) and was left out")
    return []


def digest(files: dict[str, bytes]) -> str:
    """sha256 over the sorted paths and contents, each preceded by its length."""
    total = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8", "surrogateescape"), files[name]):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()
