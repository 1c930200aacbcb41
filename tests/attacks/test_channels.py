"""Two submissions that are graded at the same time can't tell each other anything."""

import contextlib

import pytest

from autograder.grading.student import Student, StudentError
from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker, WorkerLost
from tests.attacks.channels import CHANNELS, PREAMBLE, WATCHING
from tests.this_course import COURSE

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def template(jail):
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    yield warm
    warm.close()


@contextlib.contextmanager
def worker(template, code):
    """A Student in a worker of its own, and its model/own.py."""
    files = {"model/__init__.py": b"", "model/own.py": (PREAMBLE + code).encode()}
    with contextlib.closing(Student(lambda: Worker(template, files, Limits()))) as student:
        student.begin(seed=0, seconds=10, names=["model.own"])
        yield student, student.model.own


def told(student, call):
    """What the call returned; nothing if the student's code raised or its worker is gone."""
    try:
        return student.attempt(call)
    except (StudentError, WorkerLost):
        return None


@pytest.mark.parametrize("name", CHANNELS)
def test_nothing_is_received(template, name):
    with worker(template, CHANNELS[name]) as (one, sender), worker(template, CHANNELS[name]) as (other, receiver):
        told(one, sender.send)
        received = told(other, receiver.receive)
    assert isinstance(received, StudentError) or not received


@pytest.mark.parametrize("name", WATCHING)
def test_nobody_sees_what_another_one_reads(template, name):
    with worker(template, WATCHING[name]) as (one, sender), worker(template, WATCHING[name]) as (other, receiver):
        told(other, receiver.begin)
        told(one, sender.send)
        received = told(other, receiver.receive)
    assert isinstance(received, StudentError) or not received


@pytest.mark.parametrize(
    "name", ["a file in /work", "a file in /tmp", "an abstract socket", "the memory of the template"]
)
def test_the_ways_are_ways_within_one_worker(template, name):
    """Else it would show nothing that they lead from no worker to another."""
    with worker(template, CHANNELS[name]) as (_, own):
        own.send()
        assert own.receive()
