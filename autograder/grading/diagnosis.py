"""Names the mistake behind failing items by comparing what they saw with what catalogued mistakes looked like.

The records are made by `ladder check-course --record`: each mistake is graded as an ordinary jailed submission, and for
each item that it fails, what the item sees on fixed inputs is kept. A wrong name is worse than none, so a mistake is
named only if it explains what was seen, and if nothing that it would also break passed.
"""

import math
import re
from pathlib import Path

import msgspec

from autograder.course import Rung
from autograder.grading import catalogue
from autograder.grading.catalogue import Mistake
from autograder.grading.expect import Stopped
from autograder.grading.fingerprint import Fingerprint
from autograder.grading.student import StudentError

RELATIVE, ABSOLUTE = 1e-5, 1e-7
MAX_ENDING = 160


class Evidence(msgspec.Struct, array_like=True, frozen=True):
    """What one item saw on the fixed inputs: (label, held, value) in order, and the exception that ended it."""

    record: list[list]
    ended: str | None

    @classmethod
    def of(cls, record: list[list], error: BaseException | None) -> "Evidence":
        if isinstance(error, Stopped):  # the label of the `need` is in the record
            error = None
        return cls(msgspec.to_builtins(record), None if error is None else _ending(error))

    def equals(self, other: "Evidence") -> bool:
        return self.ended == other.ended and alike(self.record, other.record)


def _ending(error: BaseException) -> str:
    """The exception's type and message without its numbers: a type alone says too little about the cause."""
    text = str(error) if isinstance(error, StudentError) else f"{type(error).__name__}: {error}"
    return re.sub(r"\d+", "#", text)[:MAX_ENDING]


class _Records(msgspec.Struct):
    """What is kept of all mistakes of a rung.

    Mistakes see much the same, so `seen` holds each (label, held, value) once, and `mistakes[slug][item]` is
    ([its places in `seen`], the exception that ended the item).
    """

    fingerprint: Fingerprint
    seen: list[list]
    mistakes: dict[str, dict[str, tuple[list[int], str | None]]]


def alike(a, b) -> bool:
    """Equal, with numbers compared as measured ones."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if type(a) in (int, float) and type(b) in (int, float):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(a) is type(b) and a == b


def path_for(rung: Rung) -> Path:
    return rung.hidden / "records.json"


class Diagnosis:
    """The recorded mistakes of some rungs. `Diagnosis({})` names nothing."""

    def __init__(self, rungs: dict[int, list[tuple[Mistake, dict[str, Evidence]]]]):
        self._rungs = rungs

    @classmethod
    def load(cls, rungs: list[Rung]) -> "Diagnosis":
        return cls({rung.number: _load(rung) for rung in rungs})

    def without(self, item: str) -> "Diagnosis":
        """As if the item did not exist."""
        rungs = {
            number: [
                (mistake, {name: seen for name, seen in records.items() if name != item}) for mistake, records in known
            ]
            for number, known in self._rungs.items()
        }
        return Diagnosis(rungs)

    def name(self, rung: Rung, statuses: dict[str, str], evidence: dict[str, Evidence]) -> dict[str, Mistake | None]:
        """For each item with evidence: the mistake that explains it, or None."""
        known = self._rungs.get(rung.number, [])
        possible = [
            (mistake, records) for mistake, records in known if all(statuses.get(item) != "passed" for item in records)
        ]
        return {item: _best(item, seen, evidence, possible) for item, seen in evidence.items()}


def _best(item: str, seen: Evidence, evidence: dict[str, Evidence], possible) -> Mistake | None:
    """Among the mistakes that look the same in this item, the one that explains most; None if two names tie."""
    matching = [
        (sum(name in evidence and evidence[name].equals(record) for name, record in records.items()), mistake)
        for mistake, records in possible
        if item in records and records[item].equals(seen)
    ]
    if not matching:
        return None
    most = max(count for count, _ in matching)
    best = [mistake for count, mistake in matching if count == most]
    return best[0] if len({mistake.name for mistake in best}) == 1 else None


def _load(rung: Rung) -> list[tuple[Mistake, dict[str, Evidence]]]:
    path = path_for(rung)
    if not path.exists():
        return []
    kept = msgspec.json.decode(path.read_bytes(), type=_Records)
    known = [mistake for mistake in catalogue.mistakes(rung) if mistake.slug in kept.mistakes]
    return [
        (
            mistake,
            {
                item: Evidence([kept.seen[place] for place in places], ended)
                for item, (places, ended) in kept.mistakes[mistake.slug].items()
            },
        )
        for mistake in known
    ]


def recorded_under(rung: Rung) -> Fingerprint | None:
    """The fingerprint that the rung's records were made under."""
    path = path_for(rung)
    return msgspec.json.decode(path.read_bytes(), type=_Recorded).fingerprint if path.exists() else None


class _Recorded(msgspec.Struct):
    """The beginning of a records file, whatever format the rest has."""

    fingerprint: Fingerprint | None = None


def encoded(fingerprint: Fingerprint, records: dict[str, dict[str, Evidence]]) -> bytes:
    """The records file's content, one observation and one mistake per line so that a change shows as one line."""
    places: dict[bytes, int] = {}
    lines = []
    for slug, items in sorted(records.items()):
        short = {
            item: (
                [places.setdefault(msgspec.json.encode(seen), len(places)) for seen in evidence.record],
                evidence.ended,
            )
            for item, evidence in items.items()
        }
        lines.append(f"{msgspec.json.encode(slug).decode()}:{msgspec.json.encode(short).decode()}")
    seen, mistakes = ",\n".join(place.decode() for place in places), ",\n".join(lines)
    under = msgspec.json.encode(fingerprint).decode()
    return f'{{"fingerprint":{under},"seen":[\n{seen}\n],"mistakes":{{\n{mistakes}\n}}}}\n'.encode()
