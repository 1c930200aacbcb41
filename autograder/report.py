"""What grading says: the typed report, its JSON form (docs/report.schema.json), and the text that a terminal shows."""

import textwrap
from pathlib import Path
from typing import Literal

import msgspec
from tabulate import tabulate

from autograder import inert
from data.files import write_atomically

WIDTH = 80
LABELS = 8  # columns in front of an explanation's text: "  rule  "
TITLE = 58  # columns of an item's title in the table

_MARKS = {"passed": "✓", "failed": "✗", "timeout": "⏱", "crashed": "✗", "missing": "·", "blocked": "…"}
_UNNAMED = {"failed": "failed; no known mistake fits"}


class ItemResult(msgspec.Struct, kw_only=True):
    """One item's verdict, in parts, each true to its name and empty if there is nothing to say.

    seen: what the submission gave, and what was expected. rule: a sentence about every right submission. mistake and
    cause: the catalogued mistake that explains what was seen. hint: where to look next. handout: what to read.
    """

    id: str
    title: str
    status: Literal["passed", "failed", "timeout", "crashed", "missing", "blocked"]
    points: int
    max_points: int
    mistake: str | None = None
    seen: str = ""
    rule: str = ""
    cause: str = ""
    hint: str = ""
    handout: str = ""
    seconds: float = 0.0


class RungResult(msgspec.Struct, kw_only=True):
    """One rung's verdicts. `id` is the milestone's number.

    fingerprint: what the verdicts depend on besides submission and seed, as a digest (grading/fingerprint.py).
    """

    id: int
    slug: str
    title: str
    points: int
    max_points: int
    seconds: float
    fingerprint: str
    items: list[ItemResult]


class SubmissionInfo(msgspec.Struct, kw_only=True):
    """What was graded. `findings` lists what was left out, and why."""

    path: str
    sha256: str
    findings: list[str] = []


class Report(msgspec.Struct, kw_only=True):
    """`seed` repeats every verdict (`ladder grade --seed`); `jail` is how student code was held."""

    schema: str
    submission: SubmissionInfo
    seed: int
    jail: Literal["bubblewrap", "none"]
    points: int
    max_points: int
    rungs: list[RungResult] = msgspec.field(name="milestones")

    @property
    def items(self) -> list[ItemResult]:
        return [item for rung in self.rungs for item in rung.items]


def schema_of(course: str) -> str:
    return f"{course}/report/2"


def write(report: Report, path: Path) -> None:
    """Raises OSError if the file cannot be written."""
    write_atomically(path, msgspec.json.format(encoded(report), indent=2))


def encoded(report: Report) -> bytes:
    """The report's JSON, which is valid UTF-8 whatever a submission's words are."""
    try:
        return msgspec.json.encode(report)
    except UnicodeEncodeError:
        return msgspec.json.encode(_writable(msgspec.to_builtins(report)))


def _writable(value):
    if isinstance(value, dict):
        return {key: _writable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_writable(part) for part in value]
    return inert.utf8(value) if isinstance(value, str) else value


def read(path: Path) -> Report:
    """Raises OSError if the file cannot be read, and msgspec.DecodeError if it is not a report of this schema."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"{path} is not UTF-8") from error


def text(report: Report) -> str:
    """The report as a terminal of 80 columns shows it."""
    parts = [_rung_text(rung) for rung in report.rungs]
    parts += [textwrap.fill(f"note: {inert.line(finding)}", WIDTH) for finding in report.submission.findings]
    parts.append(_summary(report))
    return "\n\n".join(parts)


def _rung_text(rung: RungResult) -> str:
    rows = [
        (_MARKS[item.status], "\n".join(textwrap.wrap(item.title, TITLE)), f"{item.points}/{item.max_points}")
        for item in rung.items
    ]
    table = tabulate(rows, headers=["", "item", "points"], tablefmt="simple", disable_numparse=True)
    head = f"Milestone {rung.id}: {rung.title}   {rung.points}/{rung.max_points} points"
    return "\n".join([head, "", table, *_explanations(rung)])


def _explanations(rung: RungResult) -> list[str]:
    """A few labelled lines per verdict that is not a pass; equal explanations are given once."""
    lines: list[str] = []
    said: set[tuple[str, ...]] = set()
    for item in rung.items:
        parts = item.seen, item.rule, item.cause, item.hint
        if item.status == "passed" or parts in said:
            continue
        said.add(parts)
        lines += ["", f"{_MARKS[item.status]} {item.id} ({item.mistake or _UNNAMED.get(item.status, item.status)})"]
        read = "" if item.status == "blocked" else item.handout
        labels = ("cause", item.cause), ("seen", item.seen), ("rule", item.rule), ("hint", item.hint), ("read", read)
        for label, said_here in labels:
            lines += labelled(label, said_here)
    return lines


def labelled(label: str, said: str) -> list[str]:
    """The lines of one part: its label, then its text, wrapped. Indented lines (a tensor's rows) stay as they are."""
    lines: list[str] = []
    for line in map(inert.line, said.split("\n")):
        rows = line.startswith(" ")
        lines += [line] if rows else textwrap.wrap(line, WIDTH - LABELS, break_on_hyphens=False)
    first = f"{label:>{LABELS - 2}}  "
    return [f"{first if number == 0 else ' ' * LABELS}{line}" for number, line in enumerate(lines)]


def _summary(report: Report) -> str:
    passed = sum(item.status == "passed" for item in report.items)
    lines = [
        f"{report.points}/{report.max_points} points, {passed}/{len(report.items)} items."
        f" To repeat exactly: --seed {report.seed}"
    ]
    if report.jail == "none":
        lines += textwrap.wrap(
            "There is no bubblewrap here: this code ran as a plain subprocess, which is fit for your own work only.",
            WIDTH,
        )
    return "\n".join(lines)
