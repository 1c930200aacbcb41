"""How an item ended: the exception that ended it becomes a status and the parts of a message."""

from typing import Literal, NamedTuple

import msgspec

from autograder.course import Item, Rung
from autograder.grading.diagnosis import Evidence
from autograder.grading.expect import Wrong
from autograder.grading.items import TooMuchToCheck
from autograder.grading.student import StudentError
from autograder.jail.inside.faults import NotAllowed
from autograder.jail.template import JailError
from autograder.jail.worker import WorkerLost

MAX_SEEN = 4000

Status = Literal["passed", "failed", "timeout", "crashed", "missing", "blocked"]


class ItemOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one item ended, unnamed. `seen` is what the submission gave and what was expected, `rule` what must hold.

    strain: measured over tolerated, at most 1 in an item that passed; None if it is infinite. evidence: what the
    diagnosis compares, of an item that failed.
    """

    id: str
    status: Status
    points: int
    seen: str = ""
    rule: str = ""
    seconds: float = 0.0
    strain: float | None = 0.0
    evidence: Evidence | None = None


class RungOutcome(msgspec.Struct, frozen=True):
    """How one submission ended on one rung, in the order of the rung's items."""

    items: list[ItemOutcome]
    seconds: float

    @property
    def statuses(self) -> dict[str, str]:
        return {item.id: item.status for item in self.items}

    @property
    def evidence(self) -> dict[str, Evidence]:
        return {item.id: item.evidence for item in self.items if item.evidence is not None}

    @property
    def points(self) -> int:
        return sum(item.points for item in self.items)

    @property
    def full(self) -> bool:
        return all(item.status == "passed" for item in self.items)


class Verdict(NamedTuple):
    status: Status
    seen: str
    rule: str = ""


def blocked(item: Item, rung: Rung, statuses: dict[str, Status]) -> Verdict | None:
    """The verdict on an item that needs one which has not passed; None if it can be checked."""
    unmet = next((need for need in item.needs if statuses[need] != "passed"), None)
    if unmet is None:
        return None
    first = next(other for other in rung.items if other.id == unmet)
    return Verdict("blocked", f"can't check until {_subject(first)} works ({first.id})")


def of(error: BaseException, item: Item) -> Verdict:
    """The verdict for the exception that ended an item. Raises it on if the harness is at fault."""
    if isinstance(error, (JailError, KeyboardInterrupt)):
        raise error
    status, seen, rule = _parts(error, item)
    return Verdict(status, seen[:MAX_SEEN].encode("utf-8", "replace").decode(), rule)  # a report is valid UTF-8


def _parts(error: BaseException, item: Item) -> Verdict:
    if isinstance(error, Wrong):
        return Verdict("failed", error.seen, error.rule)
    if isinstance(error, TooMuchToCheck):
        return Verdict("timeout", f"{error}.")
    if isinstance(error, WorkerLost):
        printed = f" It printed last: {error.output[-300:]}" if error.output else ""
        what = f" (limit {item.seconds:g} s)" if error.status == "timeout" else ""
        return Verdict(error.status, f"{error}{what}.{printed}")
    if isinstance(error, StudentError):
        return _raised(error, item)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # torch says it in a RuntimeError
        return Verdict("failed", "checking what your code returned takes too much memory: it returns too much.")
    return Verdict(
        "failed",
        f"the check could not use what your code returned ({type(error).__name__}: {str(error)[:300]});"
        " look at the shapes and types in the docstring",
    )


def _raised(error: StudentError, item: Item) -> Verdict:
    place = error.place() or (_file_of(item) if item.names else "")
    if error.type == NotAllowed.__name__:
        return Verdict("failed", f"{place}: {error.message}.")
    if error.kind == "missing":
        if error.type == "NotImplementedError":
            return Verdict("missing", f"{place}: not written yet: {error.message or _subject(item)}")
        return Verdict("missing", f"{error.message}.")
    where = f"{place}: " if place else ""
    source = f" in `{error.source}`" if error.source else ""
    return Verdict("crashed", f"{where}{error}{source}")


def _file_of(item: Item) -> str:
    return "/".join(item.names[0].split(".")[:2]) + ".py"


def _subject(item: Item) -> str:
    return f"`{item.names[0].rpartition('.')[2]}`" if item.names else f"'{item.title}'"
