"""Grades subjects on all cores and keeps every outcome on disk, so that an interrupted check goes on where it was."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autograder import course
from autograder.check_course.subjects import Subject
from autograder.course import Course
from autograder.errors import HarnessFault
from autograder.grading.fingerprint import fingerprints
from autograder.grading.grader import open_grader
from autograder.grading.parallel import Lifeline, Lost, share_out
from autograder.grading.verdict import RungOutcome

FIRST_SEED = 0


class Job(msgspec.Struct, frozen=True):
    """Grade `subject` with this seed. `items` restricts the rung to these, each as if what it needs had passed."""

    subject: Subject
    seed: int = FIRST_SEED
    items: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.subject)


def outcomes(jobs: list[Job], course: Course, jail: str, *, load: int = 1) -> Iterator[tuple[Job, RungOutcome]]:
    """(job, outcome) as they come, those already known first. `load`: processes per core."""
    cache = OutcomeCache(course)
    waiting = []
    for job in jobs:
        known = cache.find(job)
        if known is None:
            waiting.append(job)
        else:
            yield job, known
    for job, outcome in share_out(waiting, _serve, (course.root, jail), per_core=load):
        if isinstance(outcome, Lost):
            raise HarnessFault(f"{job} ended its grader process twice: {outcome.reason}")
        cache.keep(job, outcome)
        yield job, outcome


def _serve(lifeline: Lifeline, root: Path, jail: str) -> None:
    """A grading process: it has every rung's graders collected."""
    ours = course.read(root)
    rungs = {rung.number: rung for rung in ours.rungs()}
    with open_grader(ours, list(rungs.values()), jail=jail, naming=False, lifeline=lifeline) as grader:
        for job, answer in lifeline.requests():
            rung = rungs[job.subject.rung]
            chosen = rung.only(job.items) if job.items else rung
            # Evidence comes from fixed inputs: no other seed adds to it.
            outcome = grader.measure(chosen, job.subject.submission, job.seed, evidence=job.seed == FIRST_SEED)
            answer(outcome)


class OutcomeCache:
    """Outcomes on disk, one JSON line each, in a file per rung and state of its grader: a change begins a new one."""

    def __init__(self, course: Course) -> None:
        self._folder = folder_of(course)
        rungs = course.rungs()
        under = fingerprints(course, rungs)
        self._paths = {
            rung.number: self._folder / f"{rung.name}-{under[rung.number].measuring}.jsonl" for rung in rungs
        }
        self._known = {key: outcome for path in self._paths.values() for key, outcome in _read(path)}

    def find(self, job: Job) -> RungOutcome | None:
        return self._known.get(_key(job))

    def keep(self, job: Job, outcome: RungOutcome) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._paths[job.subject.rung].open("ab") as file:
            file.write(msgspec.json.encode((_key(job), outcome)) + b"\n")


def folder_of(course: Course) -> Path:
    """Where the course's outcomes are kept; it may be removed at any time."""
    return course.root / ".ladder" / "check-course"


def _read(path: Path) -> list[tuple[str, RungOutcome]]:
    """What is kept in the file, without the half line that a killed run may have left, which goes."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rpartition(b"\n")[0]
    if data and not data.endswith(b"\n"):
        path.write_bytes(whole + b"\n" if whole else b"")
    return [msgspec.json.decode(line, type=tuple[str, RungOutcome]) for line in whole.splitlines()]


def _key(job: Job) -> str:
    parts = str(job.subject.rung), job.subject.submission.sha256, str(job.seed), *sorted(job.items)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
