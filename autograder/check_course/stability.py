"""Whether a verdict ever changes: right answers and some mistakes, graded again with fresh seeds on a busy machine."""

import hashlib
from collections.abc import Iterable

import msgspec

from autograder.check_course.judge import Trial
from autograder.check_course.outcomes import Job
from autograder.check_course.subjects import Subject
from autograder.course import Rung
from autograder.grading.verdict import RungOutcome

MISTAKES = 20
REPEATS, STOCHASTIC_REPEATS = 5, 200
LOAD = 2  # processes per core: timings and deadlines are met by competition


class Flake(msgspec.Struct, frozen=True):
    """An item whose verdict was not the same with every seed."""

    rung: int
    subject: str
    item: str
    statuses: dict[str, int]

    def __str__(self) -> str:
        return f"milestone {self.rung}: {self.subject}: {self.item} changes with the seed: {self.statuses}"


def jobs(rung: Rung, solution: Subject, alternatives: list[Subject], trials: list[Trial]) -> list[Job]:
    """Every item with a few seeds; with many those that are stochastic, of a mistake only if it fails them.

    What a mistake passes, it passes as the solution does.
    """
    random = tuple(item.id for item in rung.items if item.stochastic)
    out = _repeated(solution, random)
    for alternative in alternatives:
        out += _repeated(alternative, ())
    for trial in trials:
        failed = tuple(item for item in random if trial.outcome.statuses[item] not in ("passed", "blocked"))
        out += _repeated(trial.subject, failed)
    return out


def _repeated(subject: Subject, items: tuple[str, ...]) -> list[Job]:
    many = range(REPEATS + 1, STOCHASTIC_REPEATS + 1) if items else ()
    return [Job(subject, seed) for seed in range(1, REPEATS + 1)] + [Job(subject, seed, items) for seed in many]


def chosen(rung: Rung, trials: list[Trial], count: int) -> list[Trial]:
    """A fixed choice of mistakes: first those that a stochastic item catches, then spread evenly by a hash."""
    random = {item.id for item in rung.items if item.stochastic}

    def order(trial: Trial) -> tuple[bool, bytes]:
        failed = {item.id for item in trial.outcome.items if item.status == "failed"}
        return not failed & random, hashlib.sha256(trial.subject.name.encode()).digest()

    return sorted(trials, key=order)[:count]


def flakes(graded: Iterable[tuple[Job, RungOutcome]]) -> list[Flake]:
    """Compares each item's statuses over the seeds; an item that was blocked in a whole run is not compared there."""
    seen: dict[tuple[int, str, str], dict[str, int]] = {}
    for job, outcome in graded:
        for item in outcome.items:
            if item.status != "blocked":
                statuses = seen.setdefault((job.subject.rung, job.subject.name, item.id), {})
                statuses[item.status] = statuses.get(item.status, 0) + 1
    return [Flake(*key, statuses) for key, statuses in sorted(seen.items()) if len(statuses) > 1]
