"""The class's table and CSV say what is there, and nothing in them acts."""

import csv

from autograder.classroom import summary
from autograder.report import Report, SubmissionInfo


def graded(points=0):
    info = SubmissionInfo(path="x", sha256="0" * 64, findings=[])
    return Report(schema="s", submission=info, seed=1, jail="none", points=points, max_points=100, rungs=[])


NAMES = [
    '=HYPERLINK("http://x","y")',
    "+1|calc",
    "-ada",
    "@x",
    "a\nb",
    "\x1b[2Jx",
    "‮x",
    "Smith, Jr",
    'q"uote',
    "1e5",
    "李",
]


def test_the_csv_reads_back_a_row_per_student_and_no_formula(tmp_path):
    summary.write_csv([(name, graded(7)) for name in NAMES], tmp_path / "summary.csv")
    with open(tmp_path / "summary.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(NAMES)
    for name, row in zip(NAMES, rows, strict=True):
        assert row["points"] == "7"
        assert row["student"].isprintable()
        assert not row["student"].startswith(("=", "+", "-", "@"))
        if name.isalnum():
            assert row["student"] == name


def test_the_table_has_a_line_per_student_and_moves_no_cursor():
    table = summary.table([(name, graded()) for name in NAMES])
    assert len(table.splitlines()) == len(NAMES) + 2
    assert all(letter.isprintable() or letter == "\n" for letter in table)
    assert "1e5" in table
