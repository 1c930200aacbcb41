"""A worker reaches neither its template nor its caller, and a template that dies is noticed."""

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from autograder.grading.student import Student
from autograder.jail import template as template_module
from autograder.jail.template import JailError, Limits, Template
from autograder.jail.worker import Worker, WorkerLost
from tests.this_course import COURSE

GROUP = """
import os, signal, time
def place():
    return [os.getpid(), os.getpgid(0), os.getsid(0)]
def signal_all(whom, number):
    child = os.fork()
    if child == 0:
        try:
            os.kill(whom, number)
            time.sleep(60)
        finally:  # nobody is left to be reached
            os._exit(0)
    time.sleep(0.1)
    return True
def alive():
    return True
"""


@pytest.fixture
def fresh(jail):
    """A template of the test's own, which it may break."""
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    Worker(warm, {}, Limits()).close()
    yield warm
    warm.close()


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def python_of(template: Template) -> int:
    """The template's own process, below bubblewrap's two."""
    pid = template._process.pid
    while b"serve_template" not in Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"-c\0")[2] or is_bwrap(pid):
        [pid] = children(pid)
    return pid


def is_bwrap(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().strip() == "bwrap"


def test_a_worker_leads_its_own_session_and_process_group(submit):
    student = submit(GROUP)
    assert student.model.own.place() == [1, 1, 1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("whom", [0, -1])
def test_a_signal_to_all_reaches_the_senders_own_processes_only(submit, whom, number):
    neighbour, hostile = submit(GROUP), submit(GROUP, seconds=3.0)
    start = time.monotonic()
    with contextlib.suppress(WorkerLost):
        hostile.model.own.signal_all(whom, int(number))
    hostile.close()
    assert time.monotonic() - start < 8
    assert neighbour.model.own.alive()
    assert submit(GROUP).model.own.alive()


def test_a_worker_whose_guardian_is_stopped_ends_in_bounded_time(fresh):
    worker = Worker(fresh, {}, Limits())
    [guardian] = children(python_of(fresh))
    os.kill(guardian, signal.SIGSTOP)
    start = time.monotonic()
    worker.close()
    assert time.monotonic() - start < 8
    Worker(fresh, {}, Limits()).close()


def test_no_descriptor_of_the_caller_is_open_in_the_worker(jail):
    """Not even one that has a high number because the caller has a thousand open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < 1000:
        opened.append(os.open(os.devnull, os.O_RDONLY))
    os.set_inheritable(opened[300], True)
    code = b"""
import os
def descriptors():
    return [number for number in range(5000) if is_open(number)]
def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False
"""
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    try:
        files = {"model/__init__.py": b"", "model/own.py": code}
        student = Student(lambda: Worker(warm, files, Limits()))
        student.begin(seed=0, seconds=10)
        assert student.model.own.descriptors() == [0, 1, 2, 3]  # nothing, its output twice, its connection
        [guardian] = children(python_of(warm))
        assert os.listdir(f"/proc/{guardian}/fd") == []
        student.close()
    finally:
        warm.close()
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_template_that_was_killed_is_noticed_at_once(fresh):
    worker = Worker(fresh, {}, Limits())
    os.kill(python_of(fresh), signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(JailError, match="ended or hangs"):
        worker.close()
    with pytest.raises(JailError, match="ended or hangs"):
        Worker(fresh, {}, Limits())
    assert time.monotonic() - start < 5


def test_a_template_that_hangs_is_noticed_once_and_then_dead(fresh, monkeypatch):
    monkeypatch.setattr(template_module, "ANSWER_SECONDS", 1.0)
    os.kill(python_of(fresh), signal.SIGSTOP)
    start = time.monotonic()
    for _ in range(3):
        with pytest.raises(JailError, match="ended or hangs"):
            Worker(fresh, {}, Limits())
    assert time.monotonic() - start < 5


def test_a_stopped_template_is_closed_in_bounded_time(jail):
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    Worker(warm, {}, Limits()).close()
    inner = python_of(warm)
    os.kill(warm._process.pid, signal.SIGSTOP)
    start = time.monotonic()
    warm.close()
    assert time.monotonic() - start < 8
    while os.path.exists(f"/proc/{inner}"):  # it dies with bubblewrap
        assert time.monotonic() - start < 20
        time.sleep(0.05)


def test_a_start_that_an_alarm_breaks_off_leaves_the_template_in_order(fresh, monkeypatch):
    """The answer to the broken order is passed over, and the worker that it started is ended."""
    files = {"model/__init__.py": b"", "model/own.py": b"def f():\n    return 5\n"}

    def alarm(*_):
        raise TimeoutError

    Worker(fresh, files, Limits()).close()
    with monkeypatch.context() as broken:
        broken.setattr(fresh, "_answer", alarm)
        with pytest.raises(TimeoutError):
            Worker(fresh, files, Limits())
    assert len(fresh._living) == 1
    with contextlib.closing(Worker(fresh, files, Limits())) as worker:
        assert worker.request("call", ["model", "own", "f"], [], {}, False, answer=None) == (True, 5)
        assert len(fresh._living) == 1
