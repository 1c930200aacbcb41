"""The engine knows no course: one about something else is scaffolded, graded and checked through `--course DIR`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import report

TINY = Path(__file__).parent / "fixtures" / "tiny_course"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, jail):
    """A copy whose mistakes are recorded; everything that belongs to it was graded, and nothing was found wrong."""
    folder = tmp_path_factory.mktemp("tiny") / "course"
    shutil.copytree(TINY, folder)
    run = ladder("check-course", "--record", course=folder)
    assert run.returncode == 0, run.stdout
    assert run.stdout.endswith("0 problems\n")
    return folder


def ladder(*arguments, course: Path):
    command = [sys.executable, "-m", "autograder.cli", *map(str, arguments), "--course", str(course)]
    return subprocess.run(command, capture_output=True, text=True)


def graded(work: Path, tiny: Path) -> report.Report:
    run = ladder("grade", work, "--json", work / "report.json", course=tiny)
    assert run.returncode == 0, run.stderr
    return report.read(work / "report.json")


def test_scaffold_solve_and_grade(tiny, tmp_path):
    work = tmp_path / "work"
    for number in (1, 2):
        assert ladder("milestone", number, "--work", work, course=tiny).returncode == 0
    begun = graded(work, tiny)
    assert begun.schema == "containers/report/2"
    assert (begun.points, begun.max_points) == (0, 40)
    assert {item.status for item in begun.items} == {"missing", "blocked"}
    assert ladder("check", work, course=tiny).returncode != 0
    shutil.copytree(tiny / "solutions", work, dirs_exist_ok=True)
    assert graded(work, tiny).points == 40
    assert ladder("check", work, course=tiny).returncode == 0
    assert ladder("reset", 1, "--work", work, course=tiny).returncode == 0
    assert graded(work, tiny).points == 20


def test_a_mistake_is_named_and_explained(tiny, tmp_path):
    work = shutil.copytree(tiny / "solutions", tmp_path / "work")
    stack = work / "containers" / "stack.py"
    stack.write_text(stack.read_text().replace("self._held.pop()", "self._held.pop(0)"))
    order = next(item for item in graded(work, tiny).items if item.id == "order")
    assert (order.status, order.mistake) == ("failed", "first-comes-out-first")
    assert order.cause == "pop takes the oldest element: this is a queue."
    assert order.rule == "pop must give what was pushed last."
    assert order.seen.startswith("what 3 steps pop is [")
    assert order.handout == "milestones/01_stack/handout.md#order"
    assert "## Order" in ladder("explain", "first-comes-out-first", course=tiny).stdout


def test_its_own_groups_of_forbidden_names_are_forbidden(tiny, tmp_path):
    work = shutil.copytree(tiny / "solutions", tmp_path / "work")
    code = "import collections\n\n\nclass Line:\n    def __init__(self):\n        self.held = collections.deque()\n"
    (work / "containers" / "line.py").write_text(code)
    fair = next(item for item in graded(work, tiny).items if item.id == "fair")
    assert fair.status == "failed"
    assert "collections.deque is not allowed here: write it yourself" in fair.seen


def test_a_class_is_graded(tiny, tmp_path):
    shutil.copytree(tiny / "solutions", tmp_path / "class" / "ada")
    (tmp_path / "class" / "bob").mkdir()
    run = ladder("grade-class", tmp_path / "class", "--out", tmp_path / "out", course=tiny)
    assert run.returncode == 0, run.stderr
    assert report.read(tmp_path / "out" / "reports" / "ada.json").points == 40
    assert report.read(tmp_path / "out" / "reports" / "bob.json").points == 0
