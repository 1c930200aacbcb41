"""Whether a verdict ever changes: the reference and some mistakes, graded again with fresh seeds on a busy machine."""

import hashlib
from collections.abc import Iterable

import msgspec

from autograder.audit.outcomes import Job, Outcome
from autograder.audit.subjects import Subject, mistakes, solution
from autograder.course import Milestone
from autograder.mistakes.catalogue import Mistake

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


def jobs(milestones: list[Milestone]) -> list[Job]:
    """Every item with a few seeds; the stochastic ones with many."""
    out = []
    for milestone in milestones:
        random = tuple(item.id for item in milestone.items if item.stochastic)
        for subject in [solution(milestone), *_some(mistakes(milestone), -(-MISTAKES // len(milestones)))]:
            out += [Job(subject, seed) for seed in range(1, REPEATS + 1)]
            if random:
                out += [Job(subject, seed, random) for seed in range(REPEATS + 1, STOCHASTIC_REPEATS + 1)]
    return out


def _some(mistaken: list[tuple[Mistake, Subject]], count: int) -> list[Subject]:
    """A fixed choice, spread evenly by a hash of the names."""
    return sorted((subject for _, subject in mistaken), key=lambda one: hashlib.sha256(one.name.encode()).digest())[
        :count
    ]


def flakes(graded: Iterable[tuple[Job, Outcome]]) -> list[Flake]:
    """Compares each item's statuses over the seeds; an item that was blocked in a whole run is not compared there."""
    seen: dict[tuple[int, str, str], dict[str, int]] = {}
    for job, outcome in graded:
        for item in outcome.items:
            if item.status != "blocked":
                statuses = seen.setdefault((job.subject.rung, job.subject.name, item.id), {})
                statuses[item.status] = statuses.get(item.status, 0) + 1
    return [Flake(*key, statuses) for key, statuses in sorted(seen.items()) if len(statuses) > 1]
