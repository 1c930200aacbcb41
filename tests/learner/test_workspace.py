"""A workspace never loses what its owner wrote."""

import datetime

import pytest

from autograder.errors import CourseError, UnusableInput
from autograder.learner import workspace
from autograder.stubs import BEGIN, stub
from milestones.hidden.shape_table import parse
from tests.this_course import COURSE, SOLUTIONS

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def rung():
    return COURSE.rung(2)


@pytest.fixture
def work(tmp_path, rung):
    workspace.scaffold(COURSE, rung, tmp_path / "work")
    return tmp_path / "work"


def test_scaffolding_makes_a_git_repository_with_template_and_stubs(work):
    assert (work / ".git").is_dir()
    assert (work / "README.md").exists()
    assert (work / "notes" / "architecture.md").exists()
    assert "YOUR CODE HERE" in (work / "model" / "attention.py").read_text()


def test_scaffolding_twice_changes_nothing(work, rung):
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    placed = workspace.scaffold(COURSE, rung, work)
    assert {file.outcome for file in placed} == {"kept"}
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before


def test_scaffolding_never_overwrites_and_reports_what_differs(work, rung):
    mine = work / "model" / "attention.py"
    mine.write_text("# mine\n")
    (work / "README.md").write_text("mine too\n")
    [placed] = [file for file in workspace.scaffold(COURSE, rung, work) if file.file == "model/attention.py"]
    assert placed.outcome == "edited"
    assert mine.read_text() == "# mine\n"
    assert (work / "README.md").read_text() == "mine too\n"


def test_reset_puts_the_stub_back_and_keeps_a_dated_backup(work, rung):
    mine = work / "model" / "attention.py"
    shipped = mine.read_text()
    mine.write_text("# mine\n")
    backup = workspace.reset(COURSE, rung, work, NOW)
    assert mine.read_text() == shipped
    assert backup is not None
    assert backup.name == "2026-01-02_03-04-05"
    assert (backup / "model" / "attention.py").read_text() == "# mine\n"


def test_reset_of_an_untouched_stub_makes_no_backup(work, rung):
    assert workspace.reset(COURSE, rung, work, NOW) is None


def test_reset_without_a_workspace_says_how_to_begin(tmp_path, rung):
    with pytest.raises(UnusableInput, match="make milestone-2"):
        workspace.reset(COURSE, rung, tmp_path / "none", NOW)


def test_a_file_where_the_workspace_should_be_is_refused(tmp_path, rung):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(UnusableInput, match="WORK="):
        workspace.scaffold(COURSE, rung, tmp_path / "work")


def test_no_stub_holds_a_line_of_its_solution():
    for rung in COURSE.rungs():
        for file, content in workspace.shipped(COURSE, rung).items():
            solution = (SOLUTIONS / file).read_text()
            if not file.endswith(".py"):
                continue
            assert BEGIN in solution, file
            secret = _solution_lines(solution)
            shipped_lines = {line.strip() for line in content.decode().splitlines()}
            outside = {line.strip() for line in stub(solution).splitlines()}
            assert not (secret - outside) & shipped_lines, file


def _solution_lines(source):
    inside, lines = False, set()
    for line in source.splitlines():
        if "SOLUTION" in line:
            inside = "BEGIN" in line
        elif inside and len(line.strip()) > 12:
            lines.add(line.strip())
    return lines


def test_a_stub_names_the_function_to_write():
    source = (
        "class A:\n    def f(self):\n        '''Doc.'''\n        ### BEGIN SOLUTION\n        return 1\n"
        "        ### END SOLUTION\n"
    )
    text = stub(source)
    assert "write A.f()" in text
    assert "return 1" not in text


@pytest.mark.parametrize("source", ["### BEGIN SOLUTION\n", "### END SOLUTION\n", "### BEGIN SOLUTION\n" * 2])
def test_unbalanced_solution_markers_are_refused(source):
    with pytest.raises(CourseError):
        stub(source)


def test_the_shape_table_of_template_and_solution_have_the_same_rows():
    template = parse((COURSE.template / "notes" / "architecture.md").read_text())
    solution = parse((SOLUTIONS / "notes" / "architecture.md").read_text())
    assert template.keys() == solution.keys()
    assert {shape for symbols in template.values() for shape in symbols} <= {"?", "shape"}
