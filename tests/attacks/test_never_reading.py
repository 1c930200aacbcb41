"""A worker that answers before it is asked, or never reads, is given up in time, whatever the grader has to send."""

import contextlib
import time

import pytest
import torch

from autograder.grading.items import at_most
from autograder.grading.student import Student, StudentError
from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker, WorkerLost
from tests.attacks import memory
from tests.attacks.catalogue import PREAMBLE
from tests.this_course import COURSE

pytestmark = pytest.mark.long

SECONDS = 2.0  # of an item
LONGEST = 10.0  # in which it must be over on a busy machine
LARGE = torch.zeros(1 << 20, dtype=torch.float64)  # 8 MiB: much more than a socket holds
FLOODED = "connection = socket.socket(fileno=os.dup(3))\nconnection.setblocking(True)\nimport wire\n"

CODE = {
    "writes four thousand forged answers and never reads": """
def f(x):
    for number in range(1, 4000):
        connection.sendall(wire.encode([number + 3, True, None]))
    time.sleep(3600)
""",
    "writes forged answers without end": """
def f(x):
    number = 3
    while True:
        number += 1
        connection.sendall(wire.encode([number, True, None]))
""",
    "writes forged answers in many small pieces": """
def f(x):
    for number in range(4, 4000):
        for byte in wire.encode([number, True, None]):
            connection.sendall(bytes([byte]))
    time.sleep(3600)
""",
    "writes one forged answer for each question and never reads": """
def f(x):
    number = 3
    while True:
        number += 1
        connection.sendall(wire.encode([number, True, True]))
        time.sleep(0.001)
""",
    "writes forged answers from a thread and stops": """
def f(x):
    def flood():
        for number in range(4, 4000):
            connection.sendall(wire.encode([number, True, None]))
    threading.Thread(target=flood).start()
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)
""",
    "writes half of every answer": """
def f(x):
    for number in range(4, 4000):
        connection.sendall(wire.encode([number, True, bytes(100)])[:-1])
    time.sleep(3600)
""",
    "writes large forged answers and never reads": """
def f(x):
    for number in range(4, 200):
        connection.sendall(wire.encode([number, True, bytes(8 << 20)]))
    time.sleep(3600)
""",
    "prints while it never reads": """
def f(x):
    connection.sendall(wire.encode([4, True, None]))
    while True:
        os.write(1, b"x" * 1000)
        time.sleep(0.01)
""",
    "reads one byte a second": """
def f(x):
    connection.sendall(wire.encode([4, True, None]))
    while True:
        connection.recv(1)
        time.sleep(1)
""",
    "leaves its side to a child that never reads": """
def f(x):
    if os.fork() == 0:
        for number in range(4, 4000):
            connection.sendall(wire.encode([number, True, None]))
        time.sleep(3600)
    time.sleep(3600)
""",
}


@pytest.fixture(scope="module")
def template(jail):
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    yield warm
    warm.close()


@contextlib.contextmanager
def student_of(template, code):
    files = {"model/__init__.py": b"", "model/own.py": (PREAMBLE + FLOODED + code).encode()}
    with contextlib.closing(Student(lambda: Worker(template, files, Limits()))) as student:
        student.begin(seed=0, seconds=SECONDS, names=["model.own"])
        yield student


def ask_and_send(student, times):
    for _ in range(times):
        with contextlib.suppress(StudentError):
            student.model.own.f(1)
            student.put(LARGE)


@pytest.mark.parametrize("name", CODE)
def test_the_grader_waits_no_longer_than_the_item_has(template, name):
    start, size = time.monotonic(), memory.forget_peak()
    with at_most(LONGEST), student_of(template, CODE[name]) as student, pytest.raises(WorkerLost):
        ask_and_send(student, 2000)
    assert time.monotonic() - start < LONGEST
    assert memory.peak() - size < memory.MOST


def test_after_all_that_the_template_still_starts_honest_workers(template):
    with student_of(template, "def f(x): return x\n") as student:
        assert torch.equal(student.model.own.f(LARGE), LARGE)
