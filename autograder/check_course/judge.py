"""Says what is wrong with the grader, from the outcomes of subjects that are known to be right or wrong."""

from collections.abc import Iterator

import msgspec

from autograder.audit.outcomes import Outcome
from autograder.audit.subjects import Subject
from autograder.course import Milestone
from autograder.mistakes.catalogue import Mistake
from autograder.mistakes.diagnosis import Diagnosis


class Problem(msgspec.Struct, frozen=True):
    """Something that must not be: in which rung, about which submission, what."""

    milestone: str
    subject: str
    complaint: str

    def __str__(self) -> str:
        return f"{self.milestone}: {self.subject}: {self.complaint}"


class Trial(msgspec.Struct):
    """A mistaken submission, the mistake that was made in it, how it ended, and the names that it was given."""

    subject: Subject
    mistake: Mistake
    outcome: Outcome
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


def trial(milestone: Milestone, subject: Subject, mistake: Mistake, outcome: Outcome, diagnosis: Diagnosis) -> Trial:
    found = diagnosis.name(milestone, outcome.statuses, outcome.evidence).values()
    return Trial(subject, mistake, outcome, {one.name for one in found if one is not None})


def right(milestone: Milestone, subject: Subject, outcome: Outcome) -> Iterator[Problem]:
    """A solution or alternative must be full."""
    for item in outcome.items:
        if item.status != "passed":
            complaint = f"loses {item.id} ({item.status}): {item.message}"
            yield Problem(milestone.name, f"{subject.kind} {subject.name}", complaint)


def unwritten(milestone: Milestone, outcome: Outcome) -> Iterator[Problem]:
    """Stubs get nothing, and each item says what to write."""
    for item in outcome.items:
        if item.points:
            yield Problem(milestone.name, "stubs", f"earn {item.points} points at {item.id}")
        elif item.status not in ("missing", "blocked"):
            yield Problem(milestone.name, "stubs", f"end {item.id} as {item.status}, not missing: {item.message}")


def wrong(milestone: Milestone, trial: Trial) -> Iterator[Problem]:
    """A mistake must lose points under its own name and no other."""
    subject = f"{trial.subject.kind} {trial.subject.name}"
    if not trial.caught:
        yield Problem(milestone.name, subject, "is not caught")
        return
    for name in sorted(trial.misnamed):
        yield Problem(milestone.name, subject, f"is named {name}")
    if not trial.named:
        items = [item for item in trial.outcome.items if item.status not in ("passed", "blocked")]
        seen = "; ".join(f"{item.id}: {item.message}" for item in items)
        yield Problem(milestone.name, subject, f"is caught but not named ({seen})")


def idle_items(milestone: Milestone, trials: list[Trial], diagnosis: Diagnosis) -> Iterator[Problem]:
    """Items that could be deleted without any mistake losing its detection or its name."""
    for item in milestone.items:
        if not any(_depends_on(item.id, milestone, one, diagnosis) for one in trials if one.caught):
            yield Problem(milestone.name, item.id, "could be deleted: no catalogued mistake needs it")


def _depends_on(item: str, milestone: Milestone, trial: Trial, diagnosis: Diagnosis) -> bool:
    statuses = {name: status for name, status in trial.outcome.statuses.items() if name != item}
    if all(status == "passed" for status in statuses.values()):
        return True
    evidence = {name: seen for name, seen in trial.outcome.evidence.items() if name != item}
    without = diagnosis.without(item).name(milestone, statuses, evidence).values()
    return trial.named and trial.mistake.name not in {one.name for one in without if one is not None}
