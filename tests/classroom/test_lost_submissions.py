"""A submission that ends the process which grades it gets no points, and nobody else notices.

No submission is known that can do so; a grader with a hole is made here, in a copy of the tiny course.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from autograder import report
from tests.test_tiny_course import TINY

HOLE = """
    if student.value(student.containers.stack.Stack.__name__) == "Killer":
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
"""
KILLER = "Stack.__name__ = 'Killer'\n"


def course_with(tmp_path: Path, hole: str) -> Path:
    folder = shutil.copytree(TINY, tmp_path / "course")
    grader = folder / "milestones" / "01_stack" / "hidden" / "grader" / "stack.py"
    text = grader.read_text()
    marker = '    """An empty stack raises IndexError, at once and after everything was taken."""\n'
    assert marker in text
    grader.write_text(text.replace(marker, marker + hole))
    return folder


def hand_in(folder: Path, student: str, extra: str = "") -> None:
    shutil.copytree(TINY / "solutions", folder / student)
    stack = folder / student / "containers" / "stack.py"
    stack.write_text(stack.read_text() + extra)


def grade(course: Path, tmp_path: Path):
    command = [sys.executable, "-m", "autograder.cli", "grade-class", str(tmp_path / "class"), "--seed", "7"]
    command += ["--out", str(tmp_path / "out"), "--course", str(course)]
    return subprocess.run(command, capture_output=True, text=True)


def read(tmp_path: Path, student: str) -> report.Report:
    return report.read(tmp_path / "out" / "reports" / f"{student}.json")


def test_it_costs_that_submission_alone(tmp_path, jail):
    course = course_with(tmp_path, HOLE)
    for student in ("ada", "bob", "cy"):
        hand_in(tmp_path / "class", student)
    for student in ("kim", "lou", "mel", "nat"):  # as many as raise the question whose fault it is
        hand_in(tmp_path / "class", student, KILLER)
    run = grade(course, tmp_path)
    assert run.returncode == 0, run.stderr
    assert [read(tmp_path, student).points for student in ("ada", "bob", "cy")] == [40, 40, 40]
    for student in ("kim", "lou", "mel", "nat"):
        lost = read(tmp_path, student)
        assert lost.points == 0
        assert {item.status for item in lost.items} == {"crashed"}
        assert lost.items[0].seen.startswith("Grading this submission ended the grading process, twice (SIGKILL)")
    before = (tmp_path / "out" / "reports" / "kim.json").stat().st_mtime_ns
    assert grade(course, tmp_path).returncode == 0
    assert (tmp_path / "out" / "reports" / "kim.json").stat().st_mtime_ns == before  # a second run asks it no more


def test_a_grader_that_ends_for_everybody_is_the_harness_fault(tmp_path, jail):
    course = course_with(tmp_path, "    import os\n    os._exit(5)\n")
    for student in ("ada", "bob", "cy"):
        hand_in(tmp_path / "class", student)
    hole = course / "milestones" / "01_stack" / "milestone.toml"  # it must be reached by an empty submission, too
    hole.write_text(hole.read_text().replace('names = ["containers.stack.Stack"]\n', ""))
    run = grade(course, tmp_path)
    assert run.returncode == 3
    assert "3 submissions and an empty one ended their grader processes (exit code 5)" in " ".join(run.stderr.split())
