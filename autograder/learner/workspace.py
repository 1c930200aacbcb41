"""Makes and refreshes a learner's workspace. Never overwrites a learner's file."""

import datetime
import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import msgspec

from autograder.course import Course, Rung
from autograder.errors import UnusableInput
from autograder.stubs import stub
from data.files import write_atomically

BACKUPS = ".backups"


class Placed(msgspec.Struct, frozen=True):
    """What happened to one file of the workspace. `edited`: it was there and differs from the stub."""

    file: str
    outcome: Literal["created", "kept", "edited"]


def shipped(course: Course, rung: Rung) -> dict[str, bytes]:
    """The rung's stubs as they ship: path in the workspace -> content."""
    return {file: stub((course.solutions / file).read_text()).encode() for file in rung.manifest.files}


def create(course: Course, work: Path) -> list[Placed]:
    """Adds the template's files that are missing and makes the folder a git repository of its own."""
    if work.exists() and not work.is_dir():
        raise UnusableInput(f"{work} is a file; a workspace is a folder. Choose another with WORK=…")
    placed = [
        _place(work, path.relative_to(course.template).as_posix(), path.read_bytes())
        for path in sorted(course.template.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    if not (work / ".git").exists() and shutil.which("git"):
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(work)], check=True)
    return placed


def scaffold(course: Course, rung: Rung, work: Path) -> list[Placed]:
    """Adds the rung's stubs; what exists stays. Doing it twice changes nothing."""
    create(course, work)
    return [_place(work, file, content) for file, content in shipped(course, rung).items()]


def _place(work: Path, file: str, content: bytes) -> Placed:
    target = work / file
    if target.exists() or target.is_symlink():
        return Placed(file, "kept" if target.is_file() and target.read_bytes() == content else "edited")
    write_atomically(target, content)
    return Placed(file, "created")


def reset(course: Course, rung: Rung, work: Path, now: datetime.datetime) -> Path | None:
    """Puts the rung's stubs back. The learner's versions go to a dated folder, which is returned."""
    if not work.is_dir():
        raise UnusableInput(f"There is no workspace at {work} yet. To begin: make milestone-{rung.number}")
    stubs = shipped(course, rung)
    changed = [file for file in stubs if (work / file).is_file() and (work / file).read_bytes() != stubs[file]]
    backup = work / BACKUPS / now.strftime("%Y-%m-%d_%H-%M-%S") if changed else None
    if backup is not None:
        for file in changed:
            (backup / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(work / file, backup / file)
    for file, content in stubs.items():
        write_atomically(work / file, content)
    return backup


def missing_prerequisites(rung: Rung, work: Path, rungs: list[Rung]) -> list[Rung]:
    """Earlier rungs that this one builds on and whose files are not in the workspace."""
    return [
        earlier
        for earlier in rungs
        if earlier.number in rung.manifest.prerequisites
        and not all((work / file).exists() for file in earlier.manifest.files)
    ]


def public_tests(rung: Rung) -> list[str]:
    """The arguments for `python` that run a rung's public tests on the current folder, in the learner's own process."""
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull]
    return ["-m", "pytest", *options, str(rung.folder / "tests")]
