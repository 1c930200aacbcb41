"""Grades submissions: runs the items of each rung in order, and has failed ones named.

One `Grader` serves many submissions with one warm template (and a second one for items that compare two processes).
"""

import time
from collections.abc import Callable, Iterable

from autograder import __version__, report, seeds
from autograder.bench import Bench, TooMuchToCheck, with_bench
from autograder.course import Item, Milestone
from autograder.draw import Draw
from autograder.expect import Expect, Wrong
from autograder.jail import template
from autograder.jail.inside.faults import NotAllowed
from autograder.jail.template import JailError, Template
from autograder.jail.worker import Worker, WorkerLost
from autograder.mistakes.diagnosis import Diagnosis, Evidence
from autograder.report import ItemResult, MilestoneResult, Report, Status, SubmissionInfo
from autograder.student import Student, StudentError
from autograder.submission import Submission

DIAGNOSIS_SEED = 20170612  # the day "Attention is all you need" was published; any constant would do
HASH_SEEDS = 0, 1
MAX_MESSAGE = 4000
PATIENCE = 3  # the student's code has the item's seconds; with the checking of what it returned, an item has this many


def available_jail() -> str:
    return "bubblewrap" if template.bubblewrap() else "none"


class Templates:
    """The warm templates of one grading process; the second is started when it is first needed."""

    def __init__(self, jail: str):
        self.jail = jail
        self._templates: dict[int, Template] = {}
        self.get(HASH_SEEDS[0])

    def get(self, hash_seed: int) -> Template:
        if hash_seed not in self._templates:
            self._templates[hash_seed] = Template(hash_seed=hash_seed, jail=self.jail)
        return self._templates[hash_seed]

    def __enter__(self) -> "Templates":
        return self

    def __exit__(self, *_) -> None:
        for one in self._templates.values():
            one.close()


def grade(
    submissions: Iterable[Submission], milestones: list[Milestone], *, jail: str, seed: int | None = None
) -> list[Report]:
    """One Report per submission, in order. `seed` replaces the one derived from the course secret."""
    reports: list[Report] = []

    def job(grader: "Grader") -> None:
        reports.extend(grader.grade(submission, seed) for submission in submissions)

    with_grader(milestones, jail, job)
    return reports


def with_grader(milestones: list[Milestone], jail: str, job: Callable[["Grader"], None]) -> None:
    """Calls `job` with a Grader whose graders are collected and whose template is warming up."""
    with Templates(jail) as templates:
        diagnosis = Diagnosis.load(milestones)
        with_bench(
            [milestone.grader for milestone in milestones],
            lambda bench: job(Grader(bench, templates, milestones, diagnosis)),
        )


class Grader:
    def __init__(self, bench: Bench, templates: Templates, milestones: list[Milestone], diagnosis: Diagnosis):
        self._bench = bench
        self._templates = templates
        self._milestones = milestones
        self._diagnosis = diagnosis

    def grade(self, submission: Submission, seed: int | None = None) -> Report:
        if seed is None:
            seed = seeds.submission_seed(seeds.course_secret(), submission.sha256)
        results = [self._milestone(milestone, submission, seed) for milestone in self._milestones]
        return Report(
            schema=report.SCHEMA,
            submission=SubmissionInfo(path=submission.path, sha256=submission.sha256, findings=submission.findings),
            seed=seed,
            jail=self._templates.jail,  # type: ignore[arg-type]
            harness=__version__,
            points=sum(result.points for result in results),
            max_points=sum(result.max_points for result in results),
            milestones=results,
        )

    def _milestone(self, milestone: Milestone, submission: Submission, seed: int) -> MilestoneResult:
        start = time.perf_counter()
        evidence: dict[str, Evidence] = {}
        results: dict[str, ItemResult] = {}
        student = self._student(milestone, submission)
        try:
            for item in milestone.items:
                results[item.id] = self._item(milestone, item, student, seed, results, evidence)
        finally:
            student.close()
        statuses: dict[str, str] = {name: result.status for name, result in results.items()}
        for name, mistake in self._diagnosis.name(milestone, statuses, evidence).items():
            _explain(results[name], mistake, milestone)
        return MilestoneResult(
            id=milestone.number,
            slug=milestone.manifest.slug,
            title=milestone.title,
            points=sum(result.points for result in results.values()),
            max_points=milestone.points,
            seconds=round(time.perf_counter() - start, 3),
            items=list(results.values()),
        )

    def _student(self, milestone: Milestone, submission: Submission) -> Student:
        def opener(hash_seed: int):
            return lambda: Worker(self._templates.get(hash_seed), submission.files, milestone.manifest.limits)

        return Student(*(opener(hash_seed) for hash_seed in HASH_SEEDS))

    def _item(self, milestone, item: Item, student, seed, results, evidence) -> ItemResult:
        result = ItemResult(
            id=item.id,
            title=item.title,
            status="passed",
            points=item.points,
            max_points=item.points,
            handout=milestone.anchor(item.anchor),
        )
        unmet = [need for need in item.needs if results[need].status != "passed"]
        if unmet:
            first = next(other for other in milestone.items if other.id == unmet[0])
            result.status, result.points = "blocked", 0
            result.message = f"can't check until {_subject(first)} works ({first.id})"
            return result
        start = time.perf_counter()
        fresh = seeds.item_seed(seed, milestone.name, item.id)
        error = self._run(milestone, item, student, fresh, Expect(recording=False))
        if error is not None:
            result.points = 0
            result.status, message = verdict(error, item)
            result.message = message[:MAX_MESSAGE].encode("utf-8", "replace").decode()  # a report is valid UTF-8
            result.hint = item.hint
            if result.status == "failed" or (result.status == "crashed" and isinstance(error, StudentError)):
                evidence[item.id] = self._evidence(milestone, item, student)
        result.seconds = round(time.perf_counter() - start, 3)
        return result

    def _run(self, milestone, item: Item, student, seed: int, expect: Expect) -> BaseException | None:
        try:
            student.begin(seed=seed, seconds=item.seconds, names=item.names, not_allowed=item.not_allowed)
        except (StudentError, WorkerLost) as error:
            return error
        seconds = PATIENCE * item.seconds
        return self._bench.run(milestone.grader, item.function, student, Draw(seed), expect, seconds)

    def _evidence(self, milestone, item: Item, student) -> Evidence:
        """What the failing item sees on the fixed inputs."""
        expect = Expect(recording=True)
        error = self._run(milestone, item, student, DIAGNOSIS_SEED, expect)
        return Evidence.of(expect.record, error)


def verdict(error: BaseException, item: Item) -> tuple[Status, str]:
    """The status and message for the exception that ended an item. Raises it on where the harness is at fault."""
    if isinstance(error, (JailError, KeyboardInterrupt)):
        raise error
    if isinstance(error, Wrong):
        return "failed", str(error)
    if isinstance(error, TooMuchToCheck):
        return "timeout", f"{error}."
    if isinstance(error, WorkerLost):
        printed = f" It printed last: {error.output[-300:]}" if error.output else ""
        what = f" (limit {item.seconds:g} s)" if error.status == "timeout" else ""
        return error.status, f"{error}{what}.{printed}"
    if isinstance(error, StudentError):
        return _student_verdict(error, item)
    return "failed", (
        f"the check could not use what your code returned ({type(error).__name__}: {str(error)[:300]});"
        " look at the shapes and types in the docstring"
    )


def _student_verdict(error: StudentError, item: Item) -> tuple[Status, str]:
    place = error.place() or (_file_of(item) if item.names else "")
    if error.type == NotAllowed.__name__:
        return "failed", f"{place}: {error.message}."
    if error.kind == "missing":
        if error.type == "NotImplementedError":
            return "missing", f"{place}: not written yet: {error.message or _subject(item)}"
        return "missing", f"{error.message}."
    where = f"{place}: " if place else ""
    source = f" in `{error.source}`" if error.source else ""
    return "crashed", f"{where}{error}{source}"


def _file_of(item: Item) -> str:
    return "/".join(item.names[0].split(".")[:2]) + ".py"


def _subject(item: Item) -> str:
    return f"`{item.names[0].rpartition('.')[2]}`" if item.names else f"'{item.title}'"


def _explain(result: ItemResult, mistake, milestone: Milestone) -> None:
    """Adds a mistake's name, cause and hint to a failed item; without one, says that none is known."""
    if mistake is None:
        result.message += " No known mistake fits."
        return
    result.mistake = mistake.name
    result.message = f"{mistake.cause} Seen: {result.message}"
    result.hint = mistake.hint
    result.handout = milestone.anchor(mistake.anchor)
