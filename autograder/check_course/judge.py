"""Says what is wrong with the grader, from the outcomes of subjects that are known to be right or wrong."""

from collections.abc import Iterator

import msgspec

from autograder.check_course.subjects import Subject
from autograder.course import Rung
from autograder.grading.catalogue import Mistake
from autograder.grading.diagnosis import Diagnosis
from autograder.grading.verdict import ItemOutcome, RungOutcome


class Problem(msgspec.Struct, frozen=True):
    """Something that must not be: in which rung, about which submission, what."""

    rung: str
    subject: str
    complaint: str

    def __str__(self) -> str:
        return f"{self.rung}: {self.subject}: {self.complaint}"


class Trial(msgspec.Struct):
    """A mistaken submission, the mistake that was made in it, how it ended, and the names that it was given."""

    subject: Subject
    mistake: Mistake
    outcome: RungOutcome
    names: set[str]

    @property
    def caught(self) -> bool:
        return not self.outcome.full

    @property
    def named(self) -> bool:
        return self.mistake.name in self.names

    @property
    def misnamed(self) -> set[str]:
        return self.names - {self.mistake.name}


def trial(rung: Rung, subject: Subject, mistake: Mistake, outcome: RungOutcome, diagnosis: Diagnosis) -> Trial:
    found = diagnosis.name(rung, outcome.statuses, outcome.evidence).values()
    return Trial(subject, mistake, outcome, {named.name for named in found if named is not None})


def right(rung: Rung, subject: Subject, outcome: RungOutcome) -> Iterator[Problem]:
    """A solution or alternative must be full."""
    for item in outcome.items:
        if item.status != "passed":
            complaint = f"loses {item.id} ({item.status}): {_said(item)}"
            yield Problem(rung.name, f"{subject.kind} {subject.name}", complaint)


def unwritten(rung: Rung, outcome: RungOutcome) -> Iterator[Problem]:
    """Stubs get nothing, and each item says what to write."""
    for item in outcome.items:
        if item.points:
            yield Problem(rung.name, "stubs", f"earn {item.points} points at {item.id}")
        elif item.status not in ("missing", "blocked"):
            yield Problem(rung.name, "stubs", f"end {item.id} as {item.status}, not missing: {_said(item)}")


def idle(rung: Rung, subject: Subject, outcome: RungOutcome, most: int) -> Iterator[Problem]:
    """A submission that does none of the work must not earn more than `most` points."""
    if outcome.points > most:
        earned = ", ".join(f"{item.id} {item.points}" for item in outcome.items if item.points)
        complaint = f"does nothing and earns {outcome.points} points, more than {most}: {earned}"
        yield Problem(rung.name, f"{subject.kind} {subject.name}", complaint)


def wrong(rung: Rung, trial: Trial) -> Iterator[Problem]:
    """A mistake must lose points under its own name and no other."""
    subject = f"{trial.subject.kind} {trial.subject.name}"
    if not trial.caught:
        yield Problem(rung.name, subject, "is not caught")
        return
    for name in sorted(trial.misnamed):
        yield Problem(rung.name, subject, f"is named {name}")
    if not trial.named:
        items = [item for item in trial.outcome.items if item.status not in ("passed", "blocked")]
        seen = "; ".join(f"{item.id}: {_said(item)}" for item in items)
        yield Problem(rung.name, subject, f"is caught but not named ({seen})")


def idle_items(rung: Rung, trials: list[Trial], diagnosis: Diagnosis) -> Iterator[Problem]:
    """Items that could be deleted without any mistake losing its detection or its name."""
    for item in rung.items:
        if not any(_depends_on(item.id, rung, trial, diagnosis) for trial in trials if trial.caught):
            yield Problem(rung.name, item.id, "could be deleted: no catalogued mistake needs it")


def _depends_on(item: str, rung: Rung, trial: Trial, diagnosis: Diagnosis) -> bool:
    statuses = {name: status for name, status in trial.outcome.statuses.items() if name != item}
    if all(status == "passed" for status in statuses.values()):
        return True
    evidence = {name: seen for name, seen in trial.outcome.evidence.items() if name != item}
    without = diagnosis.without(item).name(rung, statuses, evidence).values()
    return trial.named and trial.mistake.name not in {named.name for named in without if named is not None}


def _said(item: ItemOutcome) -> str:
    return " ".join(part for part in (item.seen, item.rule) if part)
