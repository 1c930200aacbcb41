"""Trouble with OUT is said in one sentence that names OUT, no student, and what is there is kept and summed up."""

import csv
import os
import subprocess
import sys

import pytest

from autograder import report
from autograder.classroom import handed_in
from autograder.classroom import out as out_module
from autograder.classroom.grade_class import grade_class
from autograder.classroom.out import OutUnusable, require_out
from tests.this_course import COURSE, ROOT

RUNG = COURSE.rung(2)


@pytest.fixture
def classroom(tmp_path):
    folder = tmp_path / "class"
    for student in ("ada", "bob", "eve"):
        (folder / student / "model").mkdir(parents=True)
        (folder / student / "model" / "attention.py").write_bytes(b"")
    return folder


def ladder(classroom, out, before=""):
    command = [sys.executable, "-m", "autograder.cli", "grade-class", str(classroom), "--out", str(out), "-m", "2"]
    shell = f'{before} exec "$@"'
    return subprocess.run(["sh", "-c", shell, "sh", *command], cwd=ROOT, capture_output=True, text=True)


def told(run, out):
    """The sentence, which is all that is on standard error but for the progress bar."""
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    [line] = [line for line in run.stderr.splitlines() if str(out) in line]
    assert not {"ada", "bob", "eve"} & set(line.replace(".", " ").replace("/", " ").split())
    return line


def test_an_out_that_is_a_file_is_named(tmp_path, classroom, jail):
    out = tmp_path / "out"
    out.write_text("")
    assert "cannot be written" in told(ladder(classroom, out), out)
    assert out.read_text() == ""


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], stderr=subprocess.DEVNULL
    )
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_named_and_no_half_report_stays(small_disk, classroom, jail):
    """The trouble is the disk's, not that of the student whose report did not fit."""
    (small_disk / "other").write_bytes(bytes(236 << 10))
    out = small_disk / "out"
    assert "No space left on device" in told(ladder(classroom, out), out)
    there = list((out / "reports").iterdir())
    assert len(there) < 3
    assert all(report.read(path).points == 0 for path in there)


def test_a_read_only_out_is_named(small_disk, classroom, jail):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "Read-only file system" in told(ladder(classroom, small_disk / "out"), small_disk / "out")


def test_a_limit_on_file_sizes_is_named(tmp_path, classroom, jail):
    """Blocks of 512 bytes: the reports are larger."""
    out = tmp_path / "out"
    assert "File too large" in told(ladder(classroom, out, before="ulimit -f 4;"), out)
    assert [path for path in (out / "reports").iterdir() if path.name.startswith(".")] == [], "no half report stays"


def test_reports_that_vanish_on_the_way_are_said(tmp_path, classroom, jail, monkeypatch):
    out, found = tmp_path / "out", handed_in.find(classroom)
    finished = out_module.finished

    def after_a_removal(hand_ins, folder):
        (folder / "reports" / "bob.json").unlink()
        return finished(hand_ins, folder)

    monkeypatch.setattr("autograder.classroom.grade_class.finished", after_a_removal)
    with pytest.raises(OutUnusable, match="has lost 1 reports") as trouble:
        grade_class(found, out, COURSE, [RUNG], jail=jail, trust=False)
    assert [student for student, _ in trouble.value.results] == ["ada", "eve"]


def test_the_csv_of_what_is_there_is_written_if_one_report_cannot_be(tmp_path, classroom, jail):
    """A folder stands where the last report must go."""
    out = tmp_path / "out"
    (out / "reports" / "eve.json" / "x").mkdir(parents=True)
    run = ladder(classroom, out)
    told(run, out)
    with open(out / "summary.csv", newline="") as file:
        students = {row["student"] for row in csv.DictReader(file)}
    assert students
    assert students <= {"ada", "bob"}
    assert all(student in run.stdout for student in students)


def test_what_is_asked_for_is_tried_before_anything_is_graded(tmp_path):
    require_out(tmp_path / "new" / "out")
    assert list((tmp_path / "new" / "out" / "reports").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutUnusable, match="file"):
        require_out(tmp_path / "file" / "out")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"schema": "x"'])
def test_a_report_that_was_cut_short_counts_as_none(tmp_path, classroom, content):
    [ada, *_] = handed_in.find(classroom)
    out_module.report_path(tmp_path, ada).parent.mkdir(parents=True)
    out_module.report_path(tmp_path, ada).write_bytes(content)
    assert out_module.report_of(ada, tmp_path) is None
    assert out_module.finished([ada], tmp_path) == []
