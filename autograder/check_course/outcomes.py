"""Grades subjects on all cores and keeps every outcome on disk, so that an interrupted audit goes on where it was."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from functools import cache

import msgspec
import torch

from autograder import course
from autograder.audit.subjects import Subject
from autograder.bench import Bench, with_bench
from autograder.course import GRADERS, ROOT, Item, Milestone
from autograder.expect import Expect
from autograder.grading import Grader, Templates
from autograder.mistakes.diagnosis import Diagnosis, Evidence
from autograder.parallel import requests, share_out
from autograder.submission import Submission

KEPT = ROOT / ".ladder" / "audit"
HARNESS = ROOT / "autograder"
FIRST_SEED = 0
SHARED = ("bench.py", "course.py", "draw.py", "expect.py", "grading.py", "student.py", "jail/**/*.py")


class ItemOutcome(msgspec.Struct):
    """`strain`: measured over tolerated, at most 1 in an item that passed; None where it is infinite."""

    id: str
    status: str
    points: int
    message: str
    strain: float | None


class Outcome(msgspec.Struct):
    """How one submission ended, unnamed. `evidence` is what the diagnosis compares."""

    items: list[ItemOutcome]
    evidence: dict[str, Evidence]
    seconds: float

    @property
    def statuses(self) -> dict[str, str]:
        return {item.id: item.status for item in self.items}

    @property
    def full(self) -> bool:
        return all(item.status == "passed" for item in self.items)


class Job(msgspec.Struct, frozen=True):
    """Grade `subject` with this seed. `items` restricts the rung to these, each as if what it needs had passed."""

    subject: Subject
    seed: int = FIRST_SEED
    items: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.subject)


class Auditor(Grader):
    """A grader of one rung that keeps what the report of a submission leaves out."""

    def outcome(self, milestone: Milestone, submission: Submission, seed: int) -> Outcome:
        self._keeping = seed == FIRST_SEED  # evidence comes from fixed inputs: no other seed adds to it
        self._kept: dict[str, Evidence] = {}
        self._strains: dict[str, float] = {}
        start = time.perf_counter()
        result = self._milestone(milestone, submission, seed)
        items = [
            ItemOutcome(item.id, item.status, item.points, item.message, self._strains.get(item.id))
            for item in result.items
        ]
        return Outcome(items, self._kept, round(time.perf_counter() - start, 3))

    def _run(self, milestone: Milestone, item: Item, student, seed: int, expect: Expect) -> BaseException | None:
        error = super()._run(milestone, item, student, seed, expect)
        if not expect.recording:
            self._strains[item.id] = expect.strain
        return error

    def _evidence(self, milestone: Milestone, item: Item, student) -> Evidence:
        if not self._keeping:
            return Evidence([], None)
        self._kept[item.id] = super()._evidence(milestone, item, student)
        return self._kept[item.id]


def outcomes(jobs: list[Job], jail: str, *, load: int = 1) -> Iterator[tuple[Job, Outcome]]:
    """(job, outcome) as they come, those already known first. `load`: processes per core."""
    shelf = Shelf()
    waiting = []
    for job in jobs:
        known = shelf.find(job)
        if known is None:
            waiting.append(job)
        else:
            yield job, known
    for job, outcome in share_out(waiting, _serve, (jail,), per_core=load):
        shelf.keep(job, outcome)
        yield job, outcome


def _serve(connection, jail: str) -> None:
    """A grading process: it has every rung's graders collected."""
    rungs = course.milestones()

    def work(bench: Bench) -> None:
        auditor = Auditor(bench, templates, rungs, Diagnosis({}))
        for job in requests(connection):
            rung = next(rung for rung in rungs if rung.number == job.subject.rung)
            connection.send(auditor.outcome(_only(rung, job.items), job.subject.submission, job.seed))

    with Templates(jail) as templates:
        with_bench([rung.grader for rung in rungs], work)


def _only(rung: Milestone, items: Iterable[str]) -> Milestone:
    chosen = [msgspec.structs.replace(item, needs=[]) for item in rung.items if item.id in items]
    return (
        rung
        if not chosen
        else msgspec.structs.replace(rung, manifest=msgspec.structs.replace(rung.manifest, items=chosen))
    )


class Shelf:
    """Outcomes on disk, one JSON line each, in a file per state of the harness: a change of it begins a new one."""

    def __init__(self) -> None:
        self._rungs = {rung.number: _state(rung.number) for rung in course.milestones()}
        self._path = KEPT / f"{_state(None)}.jsonl"
        self._known: dict[str, Outcome] = {}
        if self._path.exists():
            whole = self._path.read_bytes().rpartition(b"\n")[0]  # a killed run may have left half a line
            for line in whole.splitlines():
                key, outcome = msgspec.json.decode(line, type=tuple[str, Outcome])
                self._known[key] = outcome
            self._path.write_bytes(whole + b"\n" if whole else b"")

    def find(self, job: Job) -> Outcome | None:
        return self._known.get(self._key(job))

    def keep(self, job: Job, outcome: Outcome) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode((self._key(job), outcome)) + b"\n")

    def _key(self, job: Job) -> str:
        parts = self._rungs[job.subject.rung], job.subject.submission.sha256, str(job.seed), *sorted(job.items)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _state(rung: int | None) -> str:
    """A hash of the code that grades, as it was when first asked: what all rungs share, or one rung's own."""
    if rung is None:
        paths = [path for pattern in SHARED for path in sorted(HARNESS.glob(pattern))]
        paths += [path for path in sorted(GRADERS.glob("*.py")) if not path.name.startswith("rung_")]
    else:
        milestone = course.find(rung)
        paths = [milestone.grader, milestone.folder / "milestone.toml"]
    total = hashlib.sha256(torch.__version__.encode())
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()[:16]
