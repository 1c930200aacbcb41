"""Takes a submission's files as bytes, once, before anything runs: what is graded is what was read here."""

import hashlib
import os
import stat
from pathlib import Path, PurePath
from typing import IO

import msgspec

from autograder.errors import UnusableInput

SUFFIXES = {".py", ".md", ".txt", ".json", ".toml", ".csv"}
MAX_FILE = 1 << 20
MAX_FILES = 500
MAX_TOTAL = 16 << 20


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
    """Takes files up to the limits, and notes what it leaves out."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.findings: list[str] = []
        self._total = 0

    def wants(self, name: PurePath) -> bool:
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        return name.suffix in SUFFIXES and not hidden

    def take(self, name: str, file: IO[bytes]) -> None:
        data = file.read(MAX_FILE + 1)
        if readable(name) != name:
            self.findings.append(f"{name} has a name that is not UTF-8 and was left out")
        elif len(data) > MAX_FILE:
            self.findings.append(f"{name} has more than {MAX_FILE:,} bytes and was left out")
        elif len(self.files) >= MAX_FILES or self._total + len(data) > MAX_TOTAL:
            self.findings.append(f"{name} was left out: the submission is too large")
        else:
            self._total += len(data)
            self.files[name] = data

    def submission(self, path: str, files: dict[str, bytes] | None = None) -> Submission:
        files = self.files if files is None else files
        return Submission(readable(path), digest(files), files, [readable(finding) for finding in self.findings])


def readable(name: str) -> str:
    """A file's name as it may stand in a report: what is not UTF-8 in it becomes question marks."""
    return name.encode("utf-8", "replace").decode()


def read(folder: Path) -> Submission:
    """Reads a submission's folder. Links, special files and large files are left out and named in `findings`."""
    if not folder.is_dir():
        raise UnusableInput(
            f"{folder} is not a folder. To begin: make milestone-1, edit the files it names, then make grade."
        )
    collector = Collector()
    for root, folders, names in os.walk(folder, followlinks=False):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        collector.findings += [
            f"{(Path(root) / name).relative_to(folder)} is a link and was left out" for name in links
        ]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(names):
            path = Path(root) / name
            if collector.wants(path.relative_to(folder)):
                _take(path, path.relative_to(folder).as_posix(), collector)
    return collector.submission(str(folder))


def _take(path: Path, name: str, collector: Collector) -> None:
    # O_NOFOLLOW and O_NONBLOCK: a link or a FIFO must neither be followed nor waited for
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        collector.findings.append(f"{name} could not be read ({error.strerror}) and was left out")
        return
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            collector.findings.append(f"{name} is not a regular file and was left out")
        elif status.st_nlink > 1:
            collector.findings.append(f"{name} is a hard link to a file that has other names and was left out")
        else:
            collector.take(name, file)


def digest(files: dict[str, bytes]) -> str:
    """sha256 over the sorted paths and contents, each preceded by its length."""
    total = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8", "surrogateescape"), files[name]):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()
