"""What people type, and what they get: words, exit statuses, files."""

import json
import subprocess
import sys

import msgspec
import pytest

from autograder import report, submission
from autograder.cli import demo
from tests.this_course import COURSE, ROOT, grade

LADDER = [sys.executable, "-m", "autograder.cli"]


def ladder(*arguments, cwd=ROOT):
    return subprocess.run([*LADDER, *map(str, arguments)], capture_output=True, text=True, cwd=cwd)


def test_grading_without_a_workspace_says_how_to_begin(tmp_path):
    run = ladder("grade", tmp_path / "none")
    assert run.returncode == 2
    assert "make milestone-1" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_milestone_is_unusable_input(tmp_path):
    run = ladder("grade", tmp_path, "-m", 42)
    assert run.returncode == 2
    assert "There is no milestone 42" in run.stderr


def test_a_report_that_cannot_be_written_is_said(tmp_path, jail):
    (tmp_path / "file").write_text("")
    run = ladder("grade", tmp_path, "-m", 2, "--json", tmp_path / "file" / "report.json")
    assert run.returncode == 2
    assert "could not be written" in run.stderr


def test_scaffold_then_grade_gives_nought_and_says_what_to_write(tmp_path, jail):
    work = tmp_path / "work"
    assert ladder("milestone", 2, "--work", work).returncode == 0
    run = ladder("grade", work, "-m", 2, "--json", tmp_path / "report.json")
    assert run.returncode == 0
    graded = report.read(tmp_path / "report.json")
    assert graded.points == 0
    assert graded.jail == jail
    items = graded.rungs[0].items
    assert {item.status for item in items} <= {"missing", "blocked", "failed"}
    assert all("write " in item.seen for item in items if item.status == "missing")


def test_check_runs_the_public_tests_in_ones_own_process(tmp_path):
    work = tmp_path / "work"
    demo.fill_in(COURSE, COURSE.rung(2), work)
    run = ladder("check", work, "-m", 2)
    assert run.returncode == 0, run.stdout
    assert "passed" in run.stdout
    stubs = tmp_path / "stubs"
    ladder("milestone", 2, "--work", stubs)
    assert ladder("check", stubs, "-m", 2).returncode != 0


def test_explain_tells_cause_example_and_the_handouts_section():
    run = ladder("explain", "mask-off-by-one")
    assert run.returncode == 0
    for part in ("Cause:", "Hint:", "model/attention.py", "## Mask"):
        assert part in run.stdout
    unknown = ladder("explain", "mask-of-by-one")
    assert unknown.returncode == 2
    assert "mask-off-by-one" in unknown.stderr


def test_data_list_prints_the_counted_entropies(shakespeare):
    run = ladder("data", "list")
    assert run.returncode == 0
    for figure in ("4.1744", "3.3473", "2.4819"):
        assert figure in run.stdout


def test_the_documented_schema_is_that_of_the_reports():
    assert json.loads((ROOT / "docs" / "report.schema.json").read_text()) == msgspec.json.schema(report.Report)


def test_without_bubblewrap_the_report_says_so(tmp_path):
    demo.fill_in(COURSE, COURSE.rung(2), tmp_path / "work")
    [graded] = grade([submission.read(tmp_path / "work")], [COURSE.rung(2)], jail="none")
    assert graded.jail == "none"
    assert graded.points == graded.max_points
    assert "plain subprocess" in report.text(graded)


@pytest.mark.parametrize("target", ["setup", "demo", "test", "lint", "check", "grade", "watch", "data", "climb"])
def test_plain_make_lists_the_targets(target):
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"make {target}" in run.stdout
