"""Reads `milestones/` into typed records. The only reader of milestone.toml."""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from autograder.errors import HarnessFault, UnusableInput
from autograder.jail.template import Limits

ROOT = Path(__file__).resolve().parent.parent
MILESTONES = ROOT / "milestones"
SOLUTIONS = ROOT / "solutions"
GRADERS = ROOT / "autograder" / "graders"
TOTAL_POINTS = 100

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class CourseError(HarnessFault):
    """A rung's files contradict themselves or the format; the message names file and field."""


class Item(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One thing that is graded: test_<id> in the rung's grader. `stochastic`: chance or time has a part in it."""

    id: Slug
    title: Text
    points: Annotated[int, msgspec.Meta(ge=1)]
    hint: Text
    anchor: Text
    names: list[str] = []
    needs: list[Slug] = []
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    not_allowed: list[str] = []
    stochastic: bool = False

    @property
    def function(self) -> str:
        return "test_" + self.id.replace("-", "_")


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    slug: Slug
    title: Text
    summary: Text
    hours: Annotated[float, msgspec.Meta(gt=0)]
    files: Annotated[list[str], msgspec.Meta(min_length=1)]
    items: Annotated[list[Item], msgspec.Meta(min_length=1)]
    prerequisites: list[int] = []
    shape_table: list[str] = []
    limits: Limits = Limits()


class Milestone(msgspec.Struct, frozen=True):
    """One rung. `folder` is its directory under milestones/."""

    number: int
    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def title(self) -> str:
        return self.manifest.title

    @property
    def items(self) -> list[Item]:
        return self.manifest.items

    @property
    def points(self) -> int:
        return sum(item.points for item in self.items)

    @property
    def grader(self) -> Path:
        return GRADERS / f"rung_{self.name}.py"

    @property
    def handout(self) -> Path:
        return self.folder / "handout.md"

    def anchor(self, name: str) -> str:
        return f"milestones/{self.name}/handout.md#{name}"


def milestones(folder: Path = MILESTONES) -> list[Milestone]:
    """All rungs in order. Raises CourseError, naming file and field, where one is malformed."""
    rungs = [read(path) for path in sorted(folder.glob("[0-9][0-9]_*")) if path.is_dir()]
    numbers = [rung.number for rung in rungs]
    for rung in rungs:
        missing = [number for number in rung.manifest.prerequisites if number not in numbers]
        if missing:
            raise CourseError(f"{rung.folder}/milestone.toml: prerequisites: there is no milestone {missing[0]}")
    return rungs


def find(number: int) -> Milestone:
    """The rung with this number. Raises UnusableInput where there is none."""
    for path in sorted(MILESTONES.glob(f"{number:02d}_*")):
        return read(path)
    there = ", ".join(str(rung.number) for rung in milestones())
    raise UnusableInput(f"there is no milestone {number}; there are {there}")


def read(folder: Path) -> Milestone:
    path = folder / "milestone.toml"
    match = re.fullmatch(r"(\d\d)_([a-z0-9_]+)", folder.name)
    if match is None:
        raise CourseError(f"{folder}: a rung's folder is named like 02_attention")
    try:
        manifest = msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: {error}") from None
    rung = Milestone(int(match[1]), folder, manifest)
    for field, complaint in _contradictions(rung, match[2]):
        raise CourseError(f"{path}: {field}: {complaint}")
    return rung


def _contradictions(rung: Milestone, folder_slug: str):
    """(field, complaint) for everything in a manifest that its types cannot say."""
    if rung.manifest.slug != folder_slug.replace("_", "-"):
        yield "slug", f"{rung.manifest.slug!r} does not match the folder {rung.folder.name!r}"
    if rung.points != TOTAL_POINTS:
        yield "items[].points", f"they add up to {rung.points}, not {TOTAL_POINTS}"
    seen: set[str] = set()
    for item in rung.items:
        if item.id in seen:
            yield "items[].id", f"{item.id!r} appears twice"
        for need in item.needs:
            if need not in seen:
                yield f"items[{item.id}].needs", f"{need!r} is not an earlier item"
        for name in item.names:
            if name.count(".") < 2:
                yield f"items[{item.id}].names", f"{name!r} should read package.module.name"
        seen.add(item.id)
    for file in rung.manifest.files:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            yield "files", f"{file!r} must be a path inside the workspace"
