"""The grader is graded: stubs, solutions, mistakes and alternatives go through grading like any submission."""

from collections.abc import Callable, Iterator

import msgspec

from autograder.bench import Bench, with_bench
from autograder.course import ROOT, SOLUTIONS, CourseError, Milestone
from autograder.explain import anchor_of, headings
from autograder.files import write_atomically
from autograder.grading import Grader, Templates
from autograder.mistakes import catalogue, diagnosis
from autograder.mistakes.diagnosis import Diagnosis, Evidence
from autograder.report import MilestoneResult
from autograder.stubs import stub
from autograder.submission import Submission, digest, read

ALTERNATIVES = ROOT / "autograder" / "alternatives"


class Problem(msgspec.Struct, frozen=True):
    """Something that must not be: in which rung, about which submission, what."""

    milestone: str
    subject: str
    complaint: str

    def __str__(self) -> str:
        return f"{self.milestone}: {self.subject}: {self.complaint}"


class RecordingGrader(Grader):
    """A grader that also keeps each rung's evidence."""

    def evidence_of(self, milestone: Milestone, submission: Submission, seed: int | None) -> tuple:
        self.kept: dict[str, Evidence] = {}
        return self._milestone(milestone, submission, seed or 0), self.kept

    def _evidence(self, milestone, item, student) -> Evidence:
        self.kept[item.id] = super()._evidence(milestone, item, student)
        return self.kept[item.id]


def reference() -> dict[str, bytes]:
    return read(SOLUTIONS).files


def as_submission(name: str, files: dict[str, bytes]) -> Submission:
    return Submission(name, digest(files), files, [])


def stubs(milestone: Milestone) -> Submission:
    """The rung's stubs as shipped, on top of the reference's other rungs."""
    files = reference()
    for file in milestone.manifest.files:
        files[file] = stub(files[file].decode()).encode()
    return as_submission("stubs", files)


def alternatives(milestone: Milestone) -> Iterator[Submission]:
    folder = ALTERNATIVES / milestone.name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield as_submission(path.name, reference() | read(path).files)


def check(milestone: Milestone, *, jail: str, record: bool, progress: Callable[[str], None]) -> list[Problem]:
    """Grades everything that belongs to one rung. With `record`, first writes what each mistake looks like."""
    problems: list[Problem] = []

    def job(bench: Bench) -> None:
        if record:
            problems.extend(_record(bench, templates, milestone, progress))
        problems.extend(_check(bench, templates, milestone, progress))

    with Templates(jail) as templates:
        with_bench([milestone.grader], job)
    return problems


def _record(bench: Bench, templates: Templates, milestone: Milestone, progress) -> Iterator[Problem]:
    grader = RecordingGrader(bench, templates, [milestone], Diagnosis({}))
    files = reference()
    records: dict[str, dict[str, Evidence]] = {}
    for mistake in catalogue.mistakes(milestone):
        progress(f"recording {mistake.slug}")
        result, kept = grader.evidence_of(milestone, as_submission(mistake.slug, catalogue.apply(mistake, files)), 0)
        records[mistake.slug] = kept
        if result.points == result.max_points:
            yield Problem(milestone.name, mistake.slug, "is not caught")
        elif not kept:
            yield Problem(milestone.name, mistake.slug, "is caught but leaves no evidence (it only times out or dies)")
    write_atomically(
        diagnosis.path_for(milestone), diagnosis.save(milestone, diagnosis.key_for(milestone, files), records)
    )


def _check(bench: Bench, templates: Templates, milestone: Milestone, progress) -> Iterator[Problem]:
    grader = Grader(bench, templates, [milestone], Diagnosis.load([milestone]))

    def grade(submission: Submission) -> MilestoneResult:
        progress(f"grading {submission.path}")
        return grader.grade(submission).milestones[0]

    files = reference()
    if diagnosis.recorded_key(milestone) != diagnosis.key_for(milestone, files):
        yield Problem(milestone.name, "records", "are stale: run `ladder check-course --record` for this rung")
    yield from _lost_points(milestone, "solutions", grade(as_submission("solutions", files)))
    yield from _stub_problems(milestone, grade(stubs(milestone)))
    for alternative in alternatives(milestone):
        yield from _lost_points(milestone, f"alternative {alternative.path}", grade(alternative))
    for mistake in catalogue.mistakes(milestone):
        result = grade(as_submission(mistake.slug, catalogue.apply(mistake, files)))
        yield from _mistake_problems(milestone, mistake, result)


def _lost_points(milestone, subject, result: MilestoneResult) -> Iterator[Problem]:
    for item in result.items:
        if item.status != "passed":
            yield Problem(milestone.name, subject, f"loses {item.id} ({item.status}): {item.message}")


def _stub_problems(milestone, result: MilestoneResult) -> Iterator[Problem]:
    for item in result.items:
        if item.points:
            yield Problem(milestone.name, "stubs", f"earn {item.points} points at {item.id}")
        elif item.status not in ("missing", "blocked"):
            yield Problem(milestone.name, "stubs", f"end {item.id} as {item.status}, not missing: {item.message}")


def _mistake_problems(milestone, mistake, result: MilestoneResult) -> Iterator[Problem]:
    if result.points == result.max_points:
        yield Problem(milestone.name, mistake.slug, "is not caught")
        return
    names = {item.mistake for item in result.items if item.mistake}
    for wrong in sorted(names - {mistake.name}):
        yield Problem(milestone.name, mistake.slug, f"is named {wrong}")
    if mistake.name not in names:
        seen = "; ".join(f"{item.id}: {item.message}" for item in result.items if item.status != "passed")
        yield Problem(milestone.name, mistake.slug, f"is caught but not named ({seen})")


def static_problems(milestone: Milestone) -> Iterator[Problem]:
    """What can be said without running anything: anchors, edits, files."""
    known = {anchor_of(line) for _, line in headings(milestone.handout.read_text())}
    mistakes = catalogue.mistakes(milestone)
    for name, anchor in [(item.id, item.anchor) for item in milestone.items] + [(m.slug, m.anchor) for m in mistakes]:
        if anchor not in known:
            yield Problem(milestone.name, name, f"the handout has no heading with the anchor {anchor!r}")
    files = reference()
    for file in milestone.manifest.files:
        if file not in files:
            yield Problem(milestone.name, file, "is not in solutions/")
    for mistake in mistakes:
        try:
            catalogue.apply(mistake, files)
        except CourseError as error:
            yield Problem(milestone.name, mistake.slug, str(error))
