"""The house's rules: which room may import which, how long a file may be, and that the engine names no course."""

import ast
import importlib.util
import shutil
import subprocess
import sys

import pytest

from tests.this_course import ROOT

VALUES = (
    "autograder.errors",
    "autograder.course",
    "autograder.submission",
    "autograder.report",
    "autograder.handout",
    "autograder.inert",
)
BELOW = ("autograder.jail", "data", *VALUES)
GRADING = ("autograder.grading", *BELOW)
HARNESS = ("autograder", "data", "reports", "milestones", "solutions", "tests")

# What each room may import of ours, besides itself. The first that fits a file counts.
ROOMS = {
    "autograder/jail/": (),
    "data/": (),
    "solutions/": ("tokenizer", "model", "train", "sample"),
    "milestones/hidden/instruments/": (),
    "milestones/": (*(f"autograder.grading.{name}" for name in ("student", "lent", "expect", "draw")), "milestones"),
    "autograder/grading/": BELOW,
    "autograder/learner/": (*GRADING, "autograder.stubs"),
    "autograder/intake/": VALUES,
    "autograder/classroom/": (*GRADING, "autograder.intake"),
    "autograder/check_course/": (*GRADING, "autograder.stubs"),
    "reports/": GRADING,
    "autograder/cli/": HARNESS,
    "autograder/": ("autograder.jail", "data", *VALUES),
}
LONGEST = 400
COURSE_WORDS = ("gpt", "bigram", "attention", "transformer", "load_weights", "tril", "tokenizer", "tiny_model")


def files(*folders: str) -> list[str]:
    """The project's Python files under the folders, but for alternatives and fixtures, which have their own manners."""
    found = [path.relative_to(ROOT).as_posix() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in found if "/alternatives/" not in file and "/fixtures/" not in file]


def imports(file: str) -> list[str]:
    """The modules that a file imports, relative ones in full; `from a import b` counts as a.b."""
    package = file.rpartition("/")[0].replace("/", ".")
    found = []
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found += [f"{start}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("file", files("autograder", "data", "reports", "milestones", "solutions"))
def test_imports_point_one_way(file):
    room = next(room for room in ROOMS if file.startswith(room))
    own = room.rstrip("/").replace("/", ".")
    for module in imports(file):
        if module.split(".")[0] in HARNESS:
            allowed = (own, *ROOMS[room])
            assert any(f"{module}.".startswith(f"{name}.") for name in allowed), f"{room} must not import {module}"


@pytest.mark.parametrize("rung", sorted(path.name for path in (ROOT / "milestones").glob("[0-9]*")))
def test_a_rungs_grader_imports_no_other_rung(rung):
    for file in files(f"milestones/{rung}/hidden"):
        ours = [module for module in imports(file) if module.startswith("milestones.")]
        assert all(module.startswith(("milestones.hidden", f"milestones.{rung}.")) for module in ours), file


@pytest.mark.parametrize("file", files("autograder", "data", "reports", "milestones", "solutions", "tests"))
def test_no_file_of_code_is_longer_than_400_lines(file):
    assert len((ROOT / file).read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("file", [file for file in files("autograder") if "/cli/" not in file])
def test_the_engine_names_no_course(file):
    """Neither in its names nor in its texts; docstrings and comments may tell of an example."""
    tree = ast.parse((ROOT / file).read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else ""
        for said in (str(text), getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "") or ""):
            said = said.replace("CSTTransformer", "")  # libcst's word for code that changes code
            assert not [word for word in COURSE_WORDS if word in said.lower()], f"line {node.lineno}: {said}"


def test_without_the_last_rung_the_earlier_ones_are_graded_as_before(tmp_path, jail):
    for folder in ("milestones", "solutions", "student_template"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.rmtree(next((tmp_path / "milestones").glob("08_*")))
    (tmp_path / "solutions" / "train" / "scaling.py").unlink()
    command = [sys.executable, "-m", "autograder.cli", "grade", str(tmp_path / "solutions"), "--course", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "700/700 points" in run.stdout, run.stdout + run.stderr
