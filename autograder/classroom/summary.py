"""A class's results at a glance: a table for people, a CSV for everything else."""

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from autograder import inert
from autograder.classroom.out import naming
from autograder.report import Report
from data.files import write_atomically


def rows(results: list[tuple[str, Report]]) -> list[dict[str, object]]:
    """One flat record per student: points per milestone, total, mistakes, findings."""
    records: list[dict[str, object]] = []
    for student, report in results:
        record: dict[str, object] = {"student": student}
        record |= {f"milestone_{rung.id}": rung.points for rung in report.rungs}
        record |= {"points": report.points, "max_points": report.max_points}
        record["mistakes"] = " ".join(sorted({item.mistake for item in report.items if item.mistake}))
        record["findings"] = len(report.submission.findings)
        record["sha256"] = report.submission.sha256
        records.append(record)
    return records


def write_csv(results: list[tuple[str, Report]], path: Path) -> None:
    """Writes one row per student; text is quoted and inert, so no spreadsheet computes it. Raises OutUnusable."""
    records = [{key: _inert(value, inert.cell) for key, value in record.items()} for record in rows(results)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]), quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    writer.writerows(records)
    with naming(path):
        write_atomically(path, text.getvalue().encode())


def table(results: list[tuple[str, Report]]) -> str:
    """The class per student, then the mistakes by how often they were made."""
    shown = [
        {key: _inert(value, inert.line) for key, value in record.items() if key != "sha256"} for record in rows(results)
    ]
    counts = Counter(mistake for record in rows(results) for mistake in str(record["mistakes"]).split())
    parts = [tabulate(shown, headers="keys", tablefmt="simple", disable_numparse=[0])]  # a student may be called 1e5
    if counts:
        parts.append(tabulate(counts.most_common(), headers=["mistake", "students"], tablefmt="simple"))
    return "\n\n".join(parts)


def _inert(value: object, make: Callable[[str], str]) -> object:
    return make(value) if isinstance(value, str) else value
