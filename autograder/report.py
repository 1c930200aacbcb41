"""What grading says: the typed report, its JSON form (docs/report.schema.json), and the table that people read."""

from pathlib import Path
from typing import Literal

import msgspec
from tabulate import tabulate

from autograder.files import write_atomically

SCHEMA = "gpt-ladder/report/1"
Status = Literal["passed", "failed", "timeout", "crashed", "missing", "blocked"]


class ItemResult(msgspec.Struct, kw_only=True):
    """`message` says what was seen and why it is wrong; `mistake` is a slug of the catalogue, or None."""

    id: str
    title: str
    status: Status
    points: int
    max_points: int
    mistake: str | None = None
    message: str = ""
    hint: str = ""
    handout: str = ""
    seconds: float = 0.0


class MilestoneResult(msgspec.Struct, kw_only=True):
    id: int
    slug: str
    title: str
    points: int
    max_points: int
    seconds: float
    items: list[ItemResult]


class SubmissionInfo(msgspec.Struct, kw_only=True):
    path: str
    sha256: str
    findings: list[str] = []


class Report(msgspec.Struct, kw_only=True):
    """`seed` repeats every verdict (`ladder grade --seed`); `jail` is how student code was held."""

    schema: str
    submission: SubmissionInfo
    seed: int
    jail: Literal["bubblewrap", "none"]
    harness: str
    points: int
    max_points: int
    milestones: list[MilestoneResult]


def write(report: Report, path: Path) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(report), indent=2))


def text(report: Report) -> str:
    """The report as a terminal shows it."""
    parts = [_milestone_text(milestone) for milestone in report.milestones]
    for finding in report.submission.findings:
        parts.append(f"note: {finding}")
    parts.append(_summary(report))
    return "\n\n".join(parts)


def _milestone_text(milestone: MilestoneResult) -> str:
    rows = [
        (_MARKS[item.status], item.title, f"{item.points}/{item.max_points}", item.mistake or "")
        for item in milestone.items
    ]
    table = tabulate(rows, headers=["", "item", "points", "mistake"], tablefmt="simple", disable_numparse=True)
    head = f"Milestone {milestone.id}: {milestone.title}   {milestone.points}/{milestone.max_points} points"
    return "\n".join([head, "", table, *_explanations(milestone)])


def _explanations(milestone: MilestoneResult) -> list[str]:
    """One paragraph per verdict that is not a pass; equal explanations are given once."""
    lines: list[str] = []
    said: set[tuple[str, str]] = set()
    for item in milestone.items:
        key = (item.message, item.hint)
        if item.status == "passed" or key in said:
            continue
        said.add(key)
        lines += ["", f"{_MARKS[item.status]} {item.id} ({item.status})", f"  {item.message}"]
        if item.status != "blocked":
            lines += [f"  hint: {item.hint}", f"  read: {item.handout}"]
    return lines


_MARKS = {"passed": "✓", "failed": "✗", "timeout": "⏱", "crashed": "✗", "missing": "·", "blocked": "…"}


def _summary(report: Report) -> str:
    items = [item for milestone in report.milestones for item in milestone.items]
    passed = sum(item.status == "passed" for item in items)
    notice = ""
    if report.jail == "none":
        notice = "\nNo bubblewrap here: this code ran as a plain subprocess, which is fit for your own work only."
    return (
        f"{report.points}/{report.max_points} points, {passed}/{len(items)} items."
        f" To repeat exactly: --seed {report.seed}{notice}"
    )
