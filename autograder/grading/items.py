"""Runs hidden graders, which are pytest files, one item at a time and as often as asked.

pytest collects each file once per process; `Bench.run` then runs one test function for one submission. The graders'
fixtures (`student`, `draw`, `expect`) are set by the caller. This process never runs student code.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from _pytest.runner import runtestprotocol

from autograder.draw import Draw
from autograder.errors import HarnessFault
from autograder.expect import Expect
from autograder.student import Student


class BenchError(HarnessFault):
    """The graders themselves could not be collected or run."""


class TooMuchToCheck(Exception):
    """What the student's code returned keeps the check itself busy beyond reason."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooMuchToCheck after so many seconds; only in the main thread, as no alarm reaches another one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_) -> None:
        raise TooMuchToCheck(f"checking what your code returned was given up after {seconds:g} s: it returns too much")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Bench:
    """The pytest plugin that hands each test function its fixtures and keeps how it ended."""

    def __init__(self, job: Callable[["Bench"], None]):
        self._job = job
        self._functions: dict[tuple[str, str], pytest.Item] = {}
        self._error: BaseException | None = None
        self._inputs: tuple[Student, Draw, Expect]

    def run(
        self, grader: Path, function: str, student: Student, draw: Draw, expect: Expect, seconds: float
    ) -> BaseException | None:
        """Runs one test function for at most so many seconds; the exception that ended it, or None."""
        item = self._functions.get((grader.name, function))
        if item is None:
            raise BenchError(f"{grader} has no {function}")
        self._inputs, self._error = (student, draw, expect), None
        item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures for a function that may have run before
        with at_most(seconds):
            runtestprotocol(item, log=False, nextitem=None)
        return self._error

    @pytest.fixture
    def student(self):
        return self._inputs[0]

    @pytest.fixture
    def draw(self):
        return self._inputs[1]

    @pytest.fixture
    def expect(self):
        return self._inputs[2]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        """Keeps the exception itself; pytest's formatted traceback, the slow part, is never made."""
        if call.excinfo is not None:
            self._error = call.excinfo.value
        status: Literal["passed", "failed"] = "passed" if call.excinfo is None else "failed"
        return pytest.TestReport(item.nodeid, item.location, {}, status, None, call.when)

    def pytest_collectreport(self, report):
        if report.failed:
            raise BenchError(str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        self._functions = {(item.path.name, item.originalname): item for item in session.items}
        self._job(self)
        return True


def with_bench(graders: list[Path], job: Callable[[Bench], None]) -> None:
    """Collects the graders and calls `job(bench)` once. What the job raises comes out unchanged."""
    raised: list[BaseException] = []

    def guarded(bench: Bench) -> None:
        try:
            job(bench)
        except BaseException as error:  # pytest would turn it into an exit status
            raised.append(error)

    arguments = [*map(str, graders), "-c", os.devnull, "--rootdir", str(graders[0].parent), "-p", "no:cacheprovider"]
    arguments += ["-p", "no:terminal", "-p", "no:faulthandler", "-p", "no:logging", "--import-mode=importlib", "-s"]
    arguments += ["-o", "python_files=rung_*.py", "-o", "python_functions=test_*"]
    torch.set_num_threads(1)  # small tensors, and the other cores belong to other graders
    autoload = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        status = pytest.main(arguments, plugins=[Bench(guarded)])
    finally:
        if autoload is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = autoload
    if raised:
        raise raised[0]
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise BenchError(f"collecting the graders failed with pytest status {status}")
