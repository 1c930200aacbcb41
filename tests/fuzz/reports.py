"""What a submission says and is called, in everything that a report is written as: text, JSON, CSV, tables."""

import csv
import io
import re
import tempfile
import unicodedata
from pathlib import Path

from hypothesis import strategies as st

from autograder import report as reports
from autograder.classroom import summary
from autograder.report import ItemResult, Report, RungResult, SubmissionInfo
from tests.attacks.catalogue.messages import WORDS
from tests.fuzz.budget import Property, spend

CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of writing
FORMULA = re.compile(r"[=+\-@\t\r]")

LETTERS = (
    st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Mn"]) | st.sampled_from("\n\r ")
)
HOSTILE = (
    st.text(LETTERS, max_size=60) | st.sampled_from(list(WORDS.values())) | st.text("=+-@|`<>&\t\"'\n,;", max_size=9)
)
LONG = st.tuples(HOSTILE, st.sampled_from([1, 1, 1, 40, 400])).map(lambda pair: (pair[0] * pair[1])[:4000])
NAMES = HOSTILE.map(lambda name: name.replace("/", "").replace("\0", "")[:80] or "x")
STATUSES = st.sampled_from(["passed", "failed", "timeout", "crashed", "missing", "blocked"])

ITEMS = st.builds(
    lambda status, seen: ItemResult(
        id="causal-mask",
        title="causal_mask is bool",
        status=status,
        points=0,
        max_points=7,
        seen=seen,
        hint="Print it.",
    ),
    STATUSES,
    LONG,
)
REPORTS = st.builds(
    lambda items, findings, path: Report(
        schema="gpt-ladder/report/2",
        submission=SubmissionInfo(path=path, sha256="0" * 64, findings=findings),
        seed=5,
        jail="bubblewrap",
        points=0,
        max_points=7 * len(items),
        rungs=[
            RungResult(
                id=2, slug="attention", title="Attention", points=0, max_points=7 * len(items), seconds=0.1,
                fingerprint="f", items=items,
            )
        ],
    ),
    st.lists(ITEMS, min_size=1, max_size=3),
    st.lists(LONG, max_size=3),
    NAMES,
)  # fmt: skip


def visible(text: str, allowed: str = "\n") -> None:
    """Raises AssertionError if a letter in it could move a cursor, turn the writing, or end a line elsewhere."""
    bad = {letter for letter in text if unicodedata.category(letter) in CONTROLS or letter in TURNING} - set(allowed)
    assert not bad, sorted(map(ascii, bad))
    text.encode()


def reads_as_text(report: Report) -> None:
    text = reports.text(report)
    visible(text)
    lines = text.splitlines()
    assert lines == text.split("\n"), "a line ends where none should"
    verdicts = [line for line in lines if re.match(r"\d+/\d+ points", line)]
    assert len(verdicts) == 1, "a submission's words stand where the sum stands"
    assert lines[-1] == verdicts[0]


def is_written_and_read(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        reports.write(report, path)
        path.read_text(encoding="utf-8", errors="strict")
        again = reports.read(path)
    assert (again.points, again.seed, [item.status for item in again.items]) == (
        report.points, report.seed, [item.status for item in report.items],
    )  # fmt: skip
    if all(is_unicode(text) for text in words_of(report)):
        assert again == report


def words_of(report: Report) -> list[str]:
    return [report.submission.path, *report.submission.findings, *(item.seen for item in report.items)]


def is_unicode(text: str) -> bool:
    return not any(unicodedata.category(letter) == "Cs" for letter in text)


CLASSES = st.lists(st.tuples(NAMES, REPORTS), min_size=1, max_size=3, unique_by=lambda pair: pair[0])


def is_a_table(results: list[tuple[str, Report]]) -> None:
    visible(summary.table(results))


def is_a_csv(results: list[tuple[str, Report]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "summary.csv"
        summary.write_csv(results, path)
        text = path.read_bytes().decode()
    visible(text, allowed="\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["sha256"] for row in rows] == [report.submission.sha256 for _, report in results]
    assert [int(float(row["max_points"])) for row in rows] == [report.max_points for _, report in results]
    assert not any(FORMULA.match(row["student"]) for row in rows), "a spreadsheet would compute a student's name"
    assert not any(set(row["student"]) & set("\r\n") for row in rows), "a student's name takes two lines"


PROPERTIES = [
    Property("text", REPORTS, reads_as_text),
    Property("json", REPORTS, is_written_and_read),
    Property("table", CLASSES, is_a_table),
    Property("csv", CLASSES, is_a_csv),
]


def run(minutes: float) -> int:
    return spend("reports", PROPERTIES, minutes)
