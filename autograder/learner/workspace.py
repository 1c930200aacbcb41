"""Makes and refreshes a learner's workspace. Never overwrites a learner's file."""

import datetime
import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import msgspec

from autograder.course import ROOT, SOLUTIONS, Milestone
from autograder.errors import UnusableInput
from autograder.files import write_atomically
from autograder.stubs import stub

TEMPLATE = ROOT / "student_template"
BACKUPS = ".backups"


class Placed(msgspec.Struct, frozen=True):
    """What happened to one file of the workspace. `edited`: it was there and differs from the stub."""

    file: str
    outcome: Literal["created", "kept", "edited"]


def shipped(milestone: Milestone) -> dict[str, bytes]:
    """The rung's stubs as they ship: path in the workspace -> content."""
    return {file: stub((SOLUTIONS / file).read_text()).encode() for file in milestone.manifest.files}


def create(work: Path) -> list[Placed]:
    """Lays out the template where its files are missing and makes the folder a git repository of its own."""
    if work.exists() and not work.is_dir():
        raise UnusableInput(f"{work} is a file; a workspace is a folder. Choose another with WORK=…")
    placed = [
        _place(work, path.relative_to(TEMPLATE).as_posix(), path.read_bytes())
        for path in sorted(TEMPLATE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    if not (work / ".git").exists() and shutil.which("git"):
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(work)], check=True)
    return placed


def scaffold(milestone: Milestone, work: Path) -> list[Placed]:
    """Adds the rung's stubs; what exists stays. Doing it twice changes nothing."""
    create(work)
    return [_place(work, file, content) for file, content in shipped(milestone).items()]


def _place(work: Path, file: str, content: bytes) -> Placed:
    target = work / file
    if target.exists() or target.is_symlink():
        return Placed(file, "kept" if target.is_file() and target.read_bytes() == content else "edited")
    write_atomically(target, content)
    return Placed(file, "created")


def reset(milestone: Milestone, work: Path, now: datetime.datetime) -> Path | None:
    """Puts the rung's stubs back. The learner's versions go to a dated folder, which is returned."""
    if not work.is_dir():
        raise UnusableInput(f"{work} is no workspace yet. To begin: make milestone-{milestone.number}")
    stubs = shipped(milestone)
    changed = [file for file in stubs if (work / file).is_file() and (work / file).read_bytes() != stubs[file]]
    backup = work / BACKUPS / now.strftime("%Y-%m-%d_%H-%M-%S") if changed else None
    if backup is not None:
        for file in changed:
            (backup / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(work / file, backup / file)
    for file, content in stubs.items():
        write_atomically(work / file, content)
    return backup


def missing_prerequisites(milestone: Milestone, work: Path, rungs: list[Milestone]) -> list[Milestone]:
    """Earlier rungs that this one builds on and whose files are not in the workspace."""
    return [
        rung
        for rung in rungs
        if rung.number in milestone.manifest.prerequisites
        and not all((work / file).exists() for file in rung.manifest.files)
    ]


def public_tests(milestone: Milestone) -> list[str]:
    """The arguments for `python` that run a rung's public tests on the current folder, in the learner's own process."""
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull]
    return ["-m", "pytest", *options, str(milestone.folder / "tests")]
