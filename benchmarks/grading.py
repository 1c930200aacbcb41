"""What grading costs: this harness, stock `nbgrader autograde`, pytest in a fresh process per submission, the floor.

The same checks (`rung_2_checks/checks.py`) grade the same 40 submissions in all four settings, in turns, so that
whatever else the machine does hits all alike; and all four must agree on which checks each submission passes.

    python benchmarks/grading.py            # about five minutes on two cores
"""

import ast
import contextlib
import importlib.util
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import nbformat
from tabulate import tabulate

from autograder import course
from autograder.check_course.subjects import Subjects
from autograder.course import Item, Rung
from autograder.grading.grader import open_grader
from autograder.submission import of

HERE = Path(__file__).parent
CHECKS = HERE / "rung_2_checks" / "checks.py"
COURSE = course.read()
SUBMISSIONS, ROUNDS, CORES = 40, 4, 2
FILE = "model/attention.py"

Passed = dict[str, set[str]]


class Cost(msgspec.Struct):
    seconds: float = 0.0
    cpu: float = 0.0
    submissions: int = 0

    def add(self, seconds: float, cpu: float, submissions: int) -> None:
        self.seconds, self.cpu = self.seconds + seconds, self.cpu + cpu
        self.submissions += submissions


class CheckedRung(Rung):
    """Rung 2 with the frozen checks in place of its graders."""

    @property
    def grader(self) -> Path:
        return CHECKS.parent


def names_of_checks() -> list[str]:
    tree = ast.parse(CHECKS.read_text())
    return [part.name for part in tree.body if isinstance(part, ast.FunctionDef) and part.name.startswith("test_")]


def rung() -> Rung:
    rung = COURSE.rung(2)
    items = [
        Item(id=name.removeprefix("test_").replace("_", "-"), title=name, points=1, hint="-", anchor="-")
        for name in names_of_checks()
    ]
    return CheckedRung(rung.number, rung.folder, msgspec.structs.replace(rung.manifest, items=items))


def subjects() -> dict[str, bytes]:
    """name -> model/attention.py: the reference, all alternatives, and mistakes spread over the catalogue."""
    real, known = COURSE.rung(2), Subjects(COURSE)
    right = [known.solution(real), *known.alternatives(real)]
    wrong = [subject for mistake, subject in known.mistakes(real) if {edit.file for edit in mistake.edits} == {FILE}]
    wanted = SUBMISSIONS - len(right)
    chosen = right + [wrong[i * len(wrong) // wanted] for i in range(wanted)]
    return {subject.name: subject.files[FILE] for subject in chosen}


# This harness: one grader process per core, as in `ladder grade-class`


def serve(connection) -> None:
    with contextlib.suppress(EOFError), open_grader(COURSE, [rung()], jail="bubblewrap") as grader:
        while (asked := connection.recv()) is not None:
            name, code = asked
            files = {"model/__init__.py": b"", FILE: code}
            [result] = grader.grade(of(name, files), 0).rungs
            connection.send((name, {item.title for item in result.items if item.status == "passed"}))


class Harness:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connections, self.processes = [], []
        for _ in range(CORES):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
            self.connections.append(ours)
            self.processes.append(process)

    def grade(self, works: dict[str, bytes]) -> Passed:
        queue = list(works.items())
        busy, passed = set(), {}
        for connection in self.connections:
            if queue:
                connection.send(queue.pop())
                busy.add(connection)
        while busy:
            for connection in multiprocessing.connection.wait(list(busy)):
                name, held = connection.recv()
                passed[name] = held
                if queue:
                    connection.send(queue.pop())
                else:
                    busy.remove(connection)
        return passed

    def cpu(self) -> float:
        """CPU seconds so far of the grader processes, their templates, and every worker that has ended."""
        return sum(cpu_of(pid) for process in self.processes for pid in family(process.pid))

    def close(self) -> None:
        for connection, process in zip(self.connections, self.processes, strict=True):
            connection.send(None)
            process.join()


def family(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(descendant for child in children for descendant in family(child))]


def cpu_of(pid: int) -> float:
    """utime, stime, and those of children that were waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


# Programs that are started


def run(command: list[str], folder: Path) -> tuple[str, float]:
    """What a program printed, and its CPU seconds with those of all that it started."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nbgrader calls alembic by its name
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        output.seek(0)
        return output.read().decode(errors="replace"), usage.ru_utime + usage.ru_stime


CONFTEST = """
import types
import pytest
@pytest.fixture
def student():
    import model.attention
    return types.SimpleNamespace(model=model)
"""


def fresh_pytest(works: dict[str, bytes], folder: Path) -> tuple[Passed, float]:
    def one(work: tuple[str, bytes]) -> tuple[str, set[str], float]:
        name, code = work
        own = folder / name
        (own / "model").mkdir(parents=True)
        (own / "model" / "__init__.py").touch()
        (own / FILE).write_bytes(code)
        (own / "conftest.py").write_text(CONFTEST)
        shutil.copy(CHECKS, own / "test_checks.py")
        told, cpu = run([sys.executable, "-m", "pytest", "-q", "-rp", "--tb=no", "test_checks.py"], own)
        return name, set(re.findall(r"^PASSED test_checks.py::(\w+)", told, re.M)), cpu

    with ThreadPoolExecutor(CORES) as pool:
        done = list(pool.map(one, works.items()))
    return {name: held for name, held, _ in done}, sum(cpu for _, _, cpu in done)


# nbgrader: the checks as the cells of an assignment


def notebook(code: str):
    def cell(source: str, grade_id: str, **flags):
        settings = {"schema_version": 3, "grade": False, "solution": False, "locked": True, "task": False}
        made = nbformat.v4.new_code_cell(source)
        made.metadata["nbgrader"] = settings | {"grade_id": grade_id} | flags
        return made

    text = CHECKS.read_text()
    tree = ast.parse(text)
    parts = {part.name: ast.get_source_segment(text, part) for part in tree.body if isinstance(part, ast.FunctionDef)}
    tools = [source for name, source in parts.items() if not name.startswith("test_")]
    names = ["causal_average", "causal_mask", "attention", "Head", "MultiHeadAttention"]
    student = f"student = NS(model=NS(attention=NS(**{{n: globals().get(n) for n in {names}}})))"
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    made.cells.append(cell(code, "solution", solution=True, locked=False))
    imports = "import math\nimport torch\nfrom types import SimpleNamespace as NS"
    made.cells.append(cell("\n\n".join([imports, student, *tools]), "tools"))
    for name in names_of_checks():
        made.cells.append(cell(f"{parts[name]}\n\n{name}(student)", name, grade=True, points=1))
    return made


class Nbgrader:
    """A course with one assignment per round, so that each round is one stock `nbgrader autograde`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rounds = 0
        settings = "c = get_config()\nc.CourseDirectory.root = '.'\nc.ExecutePreprocessor.timeout = 60\n"
        (folder / "nbgrader_config.py").write_text(settings)

    def prepare(self, works: dict[str, bytes]) -> str:
        self.rounds += 1
        assignment = f"rung{self.rounds}"
        source = self.folder / "source" / assignment / "rung.ipynb"
        source.parent.mkdir(parents=True)
        nbformat.write(notebook("### BEGIN SOLUTION\n### END SOLUTION"), source)
        told, _ = run([*NBGRADER, "generate_assignment", assignment, "--create"], self.folder)
        assert (self.folder / "release" / assignment).is_dir(), told
        for name, code in works.items():
            handed_in = self.folder / "submitted" / name / assignment / "rung.ipynb"
            handed_in.parent.mkdir(parents=True)
            nbformat.write(notebook(code.decode()), handed_in)
        return assignment

    def grade(self, assignment: str) -> float:
        return run([*NBGRADER, "autograde", assignment], self.folder)[1]

    def passed(self, works: dict[str, bytes], assignment: str) -> Passed:
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder}/gradebook.db") as book:
            return {
                name: {
                    grade.name
                    for graded in book.find_submission(assignment, name).notebooks
                    for grade in graded.grades
                    if grade.auto_score
                }
                for name in works
            }


NBGRADER = [sys.executable, "-m", "nbgrader"]


# The floor: the student's calls and nothing else


def floor(connection) -> None:
    """A process with torch imported that calls each submission directly, one after another."""
    import torch

    torch.set_num_threads(1)
    spec = importlib.util.spec_from_file_location("checks", CHECKS)
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    while (works := connection.recv()) is not None:
        start, cpu = time.perf_counter(), time.process_time()
        passed = {name: pass_directly(code, checks) for name, code in works.items()}
        connection.send((passed, time.perf_counter() - start, time.process_time() - cpu))


def pass_directly(code: bytes, checks) -> set[str]:
    attention = types.ModuleType("attention")
    exec(compile(code, FILE, "exec"), vars(attention))
    student = types.SimpleNamespace(model=types.SimpleNamespace(attention=attention))
    held = set()
    for name in names_of_checks():
        with contextlib.suppress(Exception):
            getattr(checks, name)(student)
            held.add(name)
    return held


def main() -> None:
    works = subjects()
    costs = {name: Cost() for name in ("this harness", "nbgrader autograde", "pytest, fresh process", "floor")}
    agreed: Passed = {}
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    plain = context.Process(target=floor, args=(theirs,), daemon=True)
    plain.start()
    begin = time.perf_counter()
    harness = Harness()
    warm = {f"warm-{i}": works["solutions"] for i in range(CORES)}
    harness.grade(warm)
    start_seconds, start_cpu = time.perf_counter() - begin, harness.cpu()
    ours.send(warm)
    ours.recv()

    def compare(name: str, passed: Passed) -> None:
        for work, held in passed.items():
            assert agreed.setdefault(work, held) == held, (name, work, agreed[work] ^ held)

    with tempfile.TemporaryDirectory() as scratch:
        classic = Nbgrader(Path(tempfile.mkdtemp(dir=scratch)))
        for number in range(ROUNDS):
            part = dict(list(works.items())[number::ROUNDS])
            ours.send(part)
            passed, seconds, cpu = ours.recv()
            costs["floor"].add(seconds, cpu, len(part))
            compare("floor", passed)

            before, cpu = time.perf_counter(), harness.cpu()
            passed = harness.grade(part)
            costs["this harness"].add(time.perf_counter() - before, harness.cpu() - cpu, len(part))
            compare("this harness", passed)

            before = time.perf_counter()
            passed, cpu = fresh_pytest(part, Path(tempfile.mkdtemp(dir=scratch)))
            costs["pytest, fresh process"].add(time.perf_counter() - before, cpu, len(part))
            compare("pytest", passed)

            assignment = classic.prepare(part)
            before = time.perf_counter()
            cpu = classic.grade(assignment)
            costs["nbgrader autograde"].add(time.perf_counter() - before, cpu, len(part))
            compare("nbgrader", classic.passed(part, assignment))
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr, flush=True)
    harness.close()
    ours.send(None)
    plain.join()
    print(table(costs, start_seconds, start_cpu, agreed))


def table(costs: dict[str, Cost], start_seconds: float, start_cpu: float, agreed: Passed) -> str:
    own, least = costs["this harness"], costs["floor"]
    rows = [
        [
            name,
            f"{cost.seconds / cost.submissions:.3f}",
            f"{cost.cpu / cost.submissions:.3f}",
            f"{cost.seconds / own.seconds:.1f}",
            f"{1000 * (cost.cpu - least.cpu) / cost.submissions:.0f}",
        ]
        for name, cost in costs.items()
    ]
    full = sum(len(held) == len(names_of_checks()) for held in agreed.values())
    headers = ["setting", "seconds", "CPU seconds", "× ours", "CPU ms above the floor"]
    head = f"Per submission; {len(agreed)} submissions, {full} of them right, {len(names_of_checks())} checks.\n"
    foot = f"\nThis harness starts once per class: {start_seconds:.1f} s, {start_cpu:.1f} s of CPU on {CORES} cores."
    whole = (start_seconds + own.seconds) / own.submissions
    foot += f"\nWith its start, over these {own.submissions} submissions: {whole:.3f} s each."
    return head + tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True) + foot


if __name__ == "__main__":
    main()
