import pytest

from autograder.grading.student import Student
from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker
from tests.this_course import COURSE


@pytest.fixture(scope="module")
def template(jail):
    warm = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    yield warm
    warm.close()


@pytest.fixture
def submit(template):
    """submit(code) -> a Student whose model/own.py holds the code, in a worker of its own."""
    opened = []

    def submit(code: str, *, seconds: float = 10.0, limits: Limits | None = None) -> Student:
        files = {"model/__init__.py": b"", "model/own.py": code.encode()}
        student = Student(lambda: Worker(template, files, limits or Limits()))
        student.begin(seed=0, seconds=seconds)
        opened.append(student)
        return student

    yield submit
    for student in opened:
        student.close()
