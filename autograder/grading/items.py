"""Runs hidden graders, which are pytest files, one item at a time and as often as asked.

pytest collects each file once per process; `Items.run` then runs one test function for one submission. The graders'
fixtures (`student`, `draw`, `expect`) are set by the caller. This process never runs student code.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from _pytest.config import _prepareconfig
from _pytest.main import Session
from _pytest.runner import runtestprotocol

from autograder.course import Course, Item, Rung
from autograder.errors import HarnessFault
from autograder.grading.draw import Draw
from autograder.grading.expect import Expect
from autograder.grading.student import Student


class CollectionError(HarnessFault):
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


class Items:
    """The pytest plugin that hands each test function its fixtures and keeps how it ended."""

    def __init__(self) -> None:
        self._functions: dict[tuple[Path, str], pytest.Item] = {}
        self._error: BaseException | None = None
        self._inputs: tuple[Student, Draw, Expect]

    def run(
        self, rung: Rung, item: Item, student: Student, draw: Draw, expect: Expect, seconds: float
    ) -> BaseException | None:
        """Runs the item's test function for at most so many seconds; the exception that ended it, or None."""
        function = self._functions.get((rung.grader, item.function))
        if function is None:
            raise CollectionError(f"{rung.grader} has no {item.function}")
        self._inputs, self._error = (student, draw, expect), None
        function._initrequest()  # type: ignore[attr-defined]  # fresh fixtures for one that may have run before
        with at_most(seconds):
            runtestprotocol(function, log=False, nextitem=None)
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
            raise CollectionError(str(report.longrepr))

    def pytest_collection_finish(self, session):
        self._functions = {(function.path.parent, function.originalname): function for function in session.items}


@contextlib.contextmanager
def collected(course: Course, rungs: list[Rung]) -> Iterator[Items]:
    """The rungs' graders, collected once by a pytest session that ends with the block."""
    torch.set_num_threads(1)  # small tensors, and the other cores belong to other graders
    arguments = [*(str(rung.grader) for rung in rungs), "-c", os.devnull, "--rootdir", str(course.root)]
    for plugin in ("cacheprovider", "terminal", "faulthandler", "logging"):
        arguments += ["-p", f"no:{plugin}"]
    # Graders import `milestones.hidden.…` from the course's own root, and each other by relative imports.
    arguments += ["--import-mode=importlib", "-s", "-o", f"pythonpath={course.root}"]
    # Rewriting assertions would recompile every package that is imported from now on; graders state, they don't assert.
    arguments += ["--assert=plain"]
    arguments += ["-o", "consider_namespace_packages=true", "-o", "python_files=*.py", "-o", "python_functions=test_*"]
    items = Items()
    with _without_installed_plugins():
        config = _prepareconfig(arguments, plugins=[items])
    try:  # what pytest.main does, up to where it would run the tests
        config._do_configure()
        session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        config.hook.pytest_collection(session=session)
        yield items
        config.hook.pytest_sessionfinish(session=session, exitstatus=pytest.ExitCode.OK)
    finally:
        config._ensure_unconfigure()


@contextlib.contextmanager
def _without_installed_plugins() -> Iterator[None]:
    """Other pytest plugins of this machine have no business in a grader process."""
    before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = before
