"""Reads zip and tar archives in memory: nothing is unpacked to disk, and damage anywhere in one becomes a finding."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO

from autograder.submission import MAX_ENTRIES, MAX_FILE, Collector, shown

SUFFIXES = (".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar", ".tgz")
MAX_UNPACKED = 256 << 20  # bytes that an archive may unpack to; a course's files are below one hundredth of that
MAX_RATIO = 200  # unpacked bytes per packed byte; source text has about 5
RATIO_COUNTS_FROM = 16 << 20  # a small archive may be as repetitive as it likes
REGULAR = 0o10  # the file type in a zip's Unix mode; 0 if the archive was made elsewhere

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


class Damaged(Exception):
    """The archive cannot be read from here on; the message says why."""


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    """An archive's name without its suffix, whatever other dots are in it."""
    suffix = next(suffix for suffix in SUFFIXES if name.lower().endswith(suffix))
    return name[: -len(suffix)]


def take_archive(file: BinaryIO, name: str, packages: set[str], collector: Collector) -> None:
    """Takes the files of an open archive. Links, special files and paths that lead outside are left out and noted.

    packages: top folders of a workspace, by which it is told from a folder that only holds the workspace.
    """
    head = file.read(8)
    file.seek(0)
    unpacker = next((opener for magic, opener in _PACKED.items() if head.startswith(magic)), None)
    try:
        if head.startswith(_ZIP) or (unpacker is None and name.lower().endswith(".zip")):
            _take_zip(file, collector)
        else:
            _take_tar(Metered(unpacker(file) if unpacker else file, _size(file)), collector)
    except Exception as error:  # the bytes are an attacker's: whatever their reading raises is this finding
        reason = told(error) if head else "it is empty"
        if collector.files:
            collector.note(f"{shown(name)} is damaged or too large ({reason}); what was read before that counts")
        else:
            collector.note(f"{shown(name)} cannot be read as an archive: {reason}")
    collector.leave_out(_noted_conflicts(collector))
    collector.files = without_top_folder(collector.files, packages)


def told(error: Exception) -> str:
    """An exception in a finding's words."""
    if isinstance(error, MemoryError):
        return "reading it takes too much memory"
    return str(error) or type(error).__name__


def _size(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _take_zip(file: BinaryIO, collector: Collector) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MAX_ENTRIES:
            collector.note(f"the archive has {len(members):,} members; only the first {MAX_ENTRIES:,} were read")
        unpacked = 0
        for info in members[:MAX_ENTRIES]:
            if info.is_dir() or not _may_come_in(info.filename, _is_regular(info), collector):
                continue
            if info.file_size > MAX_FILE:
                collector.note(f"{shown(info.filename)} has more than {MAX_FILE:,} bytes and was left out")
                continue
            unpacked += info.file_size
            if unpacked > MAX_UNPACKED:
                raise Damaged(f"it unpacks to more than {MAX_UNPACKED >> 20} MiB")
            _take_member(archive, info, collector)


def _is_regular(info: zipfile.ZipInfo) -> bool:
    return info.external_attr >> 28 in (0, REGULAR)


def _take_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, collector: Collector) -> None:
    try:
        with archive.open(info) as member:
            collector.take(str(PurePosixPath(info.filename)), member)
    except Exception as error:  # a zip's members stand for themselves: the others can still be read
        collector.note(f"{shown(info.filename)} is damaged ({told(error)}) and was left out")


class Metered:
    """A stream that ends with Damaged where it has given more than anybody hands in."""

    def __init__(self, stream: IO[bytes], packed: int):
        self._stream = stream
        self._limit = min(MAX_UNPACKED, max(RATIO_COUNTS_FROM, MAX_RATIO * packed))
        self._given = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._given += len(data)
        if self._given > self._limit:
            raise Damaged(f"it unpacks to more than {self._limit >> 20} MiB")
        return data


class _Member(tarfile.TarInfo):
    """tarfile takes a damaged header for the archive's end; only the end itself may pass for it."""

    @classmethod
    def fromtarfile(cls, tar):
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # zeros: the end
            raise
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined]
            raise Damaged("it ends too early") from error
        except tarfile.HeaderError as error:
            raise Damaged(f"it has a bad header: {error}") from error


def _take_tar(stream: Metered, collector: Collector) -> None:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar:  # type: ignore[call-overload]
        for number, member in enumerate(tar):
            if number >= MAX_ENTRIES:
                raise Damaged(f"it has more than {MAX_ENTRIES:,} members")
            if member.size < 0:
                raise Damaged("it has a bad header: a negative size")
            # a sparse file's map can be made so that reading it never ends
            regular = member.isreg() and not member.issparse()
            if not member.isdir() and _may_come_in(member.name, regular, collector):
                content = tar.extractfile(member)
                assert content is not None
                collector.take(str(PurePosixPath(member.name)), content)
    while stream.read(1 << 16):  # to the end: the checksum of what is packed comes last
        pass


def _may_come_in(name: str, regular: bool, collector: Collector) -> bool:
    path = PurePosixPath(name)
    if not regular:
        collector.note(f"{shown(name)} is a link or a special file and was left out")
    elif path.is_absolute() or ".." in path.parts:
        collector.note(f"{shown(name)} leads outside the submission and was left out")
    else:
        return collector.wants(path)
    return False


def _noted_conflicts(collector: Collector) -> list[str]:
    """Files that lie under another file, which no folder can hold."""
    found = [
        name
        for name in collector.files
        if any(str(parent) in collector.files for parent in PurePosixPath(name).parents)
    ]
    for name in found:
        collector.note(f"{shown(name)} lies under a file and was left out")
    return found


def without_top_folder(files: dict[str, bytes], packages: set[str]) -> dict[str, bytes]:
    """Drops the folders that only hold the workspace, as most archives have one."""
    while True:
        tops = {name.partition("/")[0] for name in files}
        if len(tops) != 1 or tops & packages or not all("/" in name for name in files):
            return files
        files = {name.partition("/")[2]: content for name, content in files.items()}
