"""Names the mistake behind failing items by comparing what they saw with what catalogued mistakes looked like.

The records are made by `ladder check-course --record`: each mistake is graded as an ordinary jailed submission, and for
each item that it fails, what the item sees on fixed inputs is kept. A wrong name is worse than none, so a mistake is
named only where it explains what was seen, and where nothing that it would also break passed.
"""

import hashlib
import math
import re
from pathlib import Path

import msgspec

from autograder.course import GRADERS, Milestone, milestones
from autograder.mistakes import catalogue
from autograder.mistakes.catalogue import Mistake
from autograder.student import StudentError

RELATIVE, ABSOLUTE = 1e-5, 1e-7
MAX_ENDING = 160
HERE = Path(__file__).parent
EXPECT = HERE.parent / "expect.py"  # what evidence is made of


class Evidence(msgspec.Struct, array_like=True):
    """What one item saw on the fixed inputs: (label, held, value) in order, and the exception that ended it."""

    record: list[list]
    ended: str | None

    @classmethod
    def of(cls, record: list[list], error: BaseException | None) -> "Evidence":
        return cls(msgspec.to_builtins(record), None if error is None else _ending(error))

    def equals(self, other: "Evidence") -> bool:
        return self.ended == other.ended and alike(self.record, other.record)


def _ending(error: BaseException) -> str:
    """The exception's type and message without its numbers: a type alone says too little about the cause."""
    text = str(error) if isinstance(error, StudentError) else f"{type(error).__name__}: {error}"
    return re.sub(r"\d+", "#", text)[:MAX_ENDING]


class _Records(msgspec.Struct):
    """`key` ties the records to catalogue, reference and grader. Mistakes see much the same: `seen` holds each (label,
    held, value) once, and `mistakes[slug][item]` is ([its places in `seen`], the exception that ended the item)."""

    key: str
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


def path_for(milestone: Milestone) -> Path:
    return HERE / "records" / f"{milestone.name}.json"


def key_for(milestone: Milestone, reference: dict[str, bytes]) -> str:
    """Changes when the catalogue, the rung's grader, what graders share, or the reference up to this rung does."""
    total = hashlib.sha256()
    path = catalogue.path_for(milestone)
    shared = [helper for helper in sorted(GRADERS.glob("*.py")) if not helper.name.startswith("rung_")]
    parts = [path.read_bytes() if path.exists() else b"", milestone.grader.read_bytes(), EXPECT.read_bytes()]
    parts += [helper.read_bytes() for helper in shared]
    files = {file for rung in milestones() if rung.number <= milestone.number for file in rung.manifest.files}
    parts += [name.encode() + b"\0" + reference[name] for name in sorted(files & reference.keys())]
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


class Diagnosis:
    """The recorded mistakes of some rungs. `Diagnosis({})` names nothing."""

    def __init__(self, rungs: dict[int, list[tuple[Mistake, dict[str, Evidence]]]]):
        self._rungs = rungs

    @classmethod
    def load(cls, milestones: list[Milestone]) -> "Diagnosis":
        return cls({milestone.number: _load(milestone) for milestone in milestones})

    def without(self, item: str) -> "Diagnosis":
        """As if the item did not exist."""
        rungs = {
            number: [
                (mistake, {name: seen for name, seen in records.items() if name != item}) for mistake, records in known
            ]
            for number, known in self._rungs.items()
        }
        return Diagnosis(rungs)

    def name(
        self, milestone: Milestone, statuses: dict[str, str], evidence: dict[str, Evidence]
    ) -> dict[str, Mistake | None]:
        """For each item with evidence: the mistake that explains it, or None."""
        known = self._rungs.get(milestone.number, [])
        possible = [
            (mistake, records) for mistake, records in known if all(statuses.get(item) != "passed" for item in records)
        ]
        return {item: _best(item, seen, evidence, possible) for item, seen in evidence.items()}


def _best(item: str, seen: Evidence, evidence: dict[str, Evidence], possible) -> Mistake | None:
    """Among the mistakes that look the same in this item, the one that explains most; None where two names tie."""
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


def _load(milestone: Milestone) -> list[tuple[Mistake, dict[str, Evidence]]]:
    path = path_for(milestone)
    if not path.exists():
        return []
    kept = msgspec.json.decode(path.read_bytes(), type=_Records)
    known = [mistake for mistake in catalogue.mistakes(milestone) if mistake.slug in kept.mistakes]
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


def recorded_key(milestone: Milestone) -> str | None:
    path = path_for(milestone)
    return msgspec.json.decode(path.read_bytes(), type=_Records).key if path.exists() else None


def save(key: str, records: dict[str, dict[str, Evidence]]) -> bytes:
    """The records file's content, one observation and one mistake per line so that a change shows as one line."""
    places: dict[bytes, int] = {}
    lines = []
    for slug, items in sorted(records.items()):
        short = {
            item: (
                [places.setdefault(msgspec.json.encode(one), len(places)) for one in evidence.record],
                evidence.ended,
            )
            for item, evidence in items.items()
        }
        lines.append(f"{msgspec.json.encode(slug).decode()}:{msgspec.json.encode(short).decode()}")
    seen, mistakes = ",\n".join(one.decode() for one in places), ",\n".join(lines)
    return f'{{"key":"{key}","seen":[\n{seen}\n],"mistakes":{{\n{mistakes}\n}}}}\n'.encode()
