"""Reads a submission out of a zip or tar archive, in memory: nothing is unpacked to disk."""

import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.errors import UnusableInput
from autograder.submission import Collector, Submission

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_MEMBERS = 20_000


class BrokenArchive(UnusableInput):
    """The archive cannot be read; the message says why."""


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def read_archive(path: Path, packages: Iterable[str]) -> Submission:
    """The submission in an archive. Links, special files and paths that lead outside are left out and named.

    packages: top folders of a workspace, by which it is told from a folder that only holds the workspace.
    """
    collector = Collector()
    try:
        for name, member in _members(path):
            if member is None:
                collector.findings.append(f"{name} is a link or a special file and was left out")
            elif PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                collector.findings.append(f"{name} leads outside the submission and was left out")
            elif collector.wants(PurePosixPath(name)):
                collector.take(PurePosixPath(name).as_posix(), member)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        # RuntimeError and NotImplementedError: zipfile's words for encrypted members and unknown compressions
        raise BrokenArchive(f"{path.name} cannot be read as an archive: {error}") from error
    return collector.submission(str(path), _without_top_folder(collector.files, set(packages)))


def _members(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """(name, open file) for each regular member; (name, None) for links and special files."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist()[:MAX_MEMBERS]:
                kind = info.external_attr >> 28  # the file type of st_mode, where the archive came from Unix
                if info.is_dir():
                    continue
                if kind not in (0, 0o10):
                    yield info.filename, None
                    continue
                with archive.open(info) as file:
                    yield info.filename, file
        return
    with tarfile.open(path) as tar:
        for number, member in enumerate(tar):
            if number >= MAX_MEMBERS:
                return
            if not member.isdir():
                yield member.name, tar.extractfile(member) if member.isreg() else None


def _without_top_folder(files: dict[str, bytes], packages: set[str]) -> dict[str, bytes]:
    """Drops the one folder that holds everything, as most archives have it."""
    tops = {PurePosixPath(name).parts[0] for name in files}
    nested = all(len(PurePosixPath(name).parts) > 1 for name in files)
    if len(tops) != 1 or not nested or tops & packages:
        return files
    inner = {str(PurePosixPath(*PurePosixPath(name).parts[1:])): files[name] for name in files}
    return _without_top_folder(inner, packages)
