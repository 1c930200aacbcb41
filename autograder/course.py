"""Reads a course: `milestones/course.toml` and one folder per rung. The only reader of course.toml,
allowed.toml and milestone.toml.

A course is a folder with `milestones/`, `solutions/` and `student_template/`. All of a rung lies in its own folder:

    milestones/course.toml  allowed.toml
    milestones/02_attention/   milestone.toml handout.md tests/                              the learner's
                    hidden/    grader/ mistakes/ alternatives/ records.json survivors.toml   never released
    milestones/hidden/         what the graders share; instruments/
"""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from autograder.errors import CourseError, UnusableInput
from autograder.jail.template import Contents, Limits

HOME = Path(__file__).resolve().parent.parent  # the course that this engine ships with

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]


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
    """What milestone.toml holds."""

    slug: Slug
    title: Text
    summary: Text
    hours: Annotated[float, msgspec.Meta(gt=0)]
    files: Annotated[list[str], msgspec.Meta(min_length=1)]
    items: Annotated[list[Item], msgspec.Meta(min_length=1)]
    prerequisites: list[int] = []
    limits: Limits = Limits()


class Rung(msgspec.Struct, frozen=True):
    """One rung of the ladder; the command line calls it a milestone. `folder` is its directory under milestones/."""

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
    def hidden(self) -> Path:
        return self.folder / "hidden"

    @property
    def grader(self) -> Path:
        """The folder of the rung's hidden pytest files."""
        return self.hidden / "grader"

    @property
    def handout(self) -> Path:
        return self.folder / "handout.md"

    def anchor(self, name: str) -> str:
        return f"milestones/{self.name}/handout.md#{name}"

    def watched_from(self, item: Item) -> bool:
        """Whether this item or a later one has `not_allowed`, so that calls into torch must be judged."""
        return any(other.not_allowed for other in self.items[self.items.index(item) :])

    def only(self, items: tuple[str, ...]) -> "Rung":
        """The rung restricted to these items, each as if the items that it needs had passed."""
        chosen = [msgspec.structs.replace(item, needs=[]) for item in self.items if item.id in items]
        return msgspec.structs.replace(self, manifest=msgspec.structs.replace(self.manifest, items=chosen))


class Mutants(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How this course's solutions are mutated: functions to `skip`, and names to swap for others."""

    skip: list[str] = []
    swaps: dict[str, str] = {}


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What course.toml holds."""

    name: Slug
    points_per_rung: Annotated[int, msgspec.Meta(ge=1)]
    nothing_earns_at_most: Annotated[int, msgspec.Meta(ge=0)] = 0
    packages: Annotated[list[str], msgspec.Meta(min_length=1)]
    jail_packages: list[str]
    names_graders_must_not_read: list[str] = []
    forbidden: dict[str, list[str]] = {}
    operators: dict[str, list[str]] = {}
    mutants: Mutants = Mutants()


class Allowed(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What allowed.toml holds: what student code may call of torch on a rung where an item has `not_allowed`.

    allowed: place -> names. refused: the other public names of these places, listed so that nothing new goes unseen.
    modules: patterns of modules that may be called as a whole. passes_on: functions that call what they are given.
    outside: functions that are not torch's and would get around the list.
    """

    allowed: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    modules: list[str] = []
    passes_on: list[str] = []
    outside: list[str] = []


class Course(msgspec.Struct, frozen=True):
    """A course on disk. `root` is the folder that holds milestones/, solutions/ and student_template/."""

    root: Path
    config: Config
    allowed: Allowed = Allowed()

    @property
    def milestones(self) -> Path:
        return self.root / "milestones"

    @property
    def shared(self) -> Path:
        """What the hidden graders of all rungs share."""
        return self.milestones / "hidden"

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def template(self) -> Path:
        return self.root / "student_template"

    @property
    def jail_contents(self) -> Contents:
        instruments = self.shared / "instruments"
        return Contents(
            packages=tuple(self.config.jail_packages),
            instruments=instruments if instruments.is_dir() else None,
            operators=self.config.operators,
            allowed=msgspec.to_builtins(self.allowed),
        )

    def rungs(self) -> list[Rung]:
        """All rungs in order. Raises CourseError, naming file and field, if one is malformed."""
        rungs = [self._read(path) for path in sorted(self.milestones.glob("[0-9][0-9]_*")) if path.is_dir()]
        numbers = [rung.number for rung in rungs]
        for rung in rungs:
            missing = [number for number in rung.manifest.prerequisites if number not in numbers]
            if missing:
                raise CourseError(f"{rung.folder}/milestone.toml: prerequisites: there is no milestone {missing[0]}")
        return rungs

    def rung(self, number: int) -> Rung:
        """The rung with this number. Raises UnusableInput if there is none."""
        for path in sorted(self.milestones.glob(f"{number:02d}_*")):
            return self._read(path)
        there = ", ".join(str(rung.number) for rung in self.rungs())
        raise UnusableInput(f"There is no milestone {number}; there are {there}.")

    def _read(self, folder: Path) -> Rung:
        match = re.fullmatch(r"(\d\d)_([a-z0-9_]+)", folder.name)
        if match is None:
            raise CourseError(f"{folder}: a rung's folder must be named with two digits, an underscore and a slug")
        path = folder / "milestone.toml"
        rung = Rung(int(match[1]), folder, self._with_groups(_decoded(path, Manifest), path))
        for field, complaint in _contradictions(rung, match[2], self.config.points_per_rung):
            raise CourseError(f"{path}: {field}: {complaint}")
        return rung

    def _with_groups(self, manifest: Manifest, path: Path) -> Manifest:
        """The manifest with each group in `not_allowed`, such as "@attention", replaced by its names."""
        items = []
        for item in manifest.items:
            names: list[str] = []
            for name in item.not_allowed:
                if not name.startswith("@"):
                    names.append(name)
                elif name[1:] in self.config.forbidden:
                    names += self.config.forbidden[name[1:]]
                else:
                    raise CourseError(f"{path}: items[{item.id}].not_allowed: course.toml has no group {name[1:]!r}")
            items.append(msgspec.structs.replace(item, not_allowed=names))
        return msgspec.structs.replace(manifest, items=items)


def read(root: Path = HOME) -> Course:
    """The course in `root`. Raises UnusableInput if there is none, CourseError if its course.toml is malformed."""
    path = root / "milestones" / "course.toml"
    if not path.is_file():
        raise UnusableInput(f"{root} is not a course: it has no milestones/course.toml.")
    allowed = path.with_name("allowed.toml")
    return Course(root.resolve(), _decoded(path, Config), _decoded(allowed, Allowed) if allowed.exists() else Allowed())


def _decoded(path: Path, kind):
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: {error}") from None


def _contradictions(rung: Rung, folder_slug: str, points: int):
    """(field, complaint) for everything in a manifest that its types cannot say."""
    if rung.manifest.slug != folder_slug.replace("_", "-"):
        yield "slug", f"{rung.manifest.slug!r} does not match the folder {rung.folder.name!r}"
    if rung.points != points:
        yield "items[].points", f"they add up to {rung.points}, not {points}"
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
