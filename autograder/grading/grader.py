"""Grades submissions in three steps, each of which hands one value on: measure -> name -> say.

    with open_grader(course, rungs, jail="bubblewrap") as grader:
        report = grader.grade(submission)

One `Grader` serves many submissions with one warm template (and a second one for items that compare two processes).
"""

import contextlib
import math
import time
from collections.abc import Iterable, Iterator

from autograder.course import Course, Item, Rung
from autograder.grading import items, say, seeds, verdict
from autograder.grading.diagnosis import Diagnosis, Evidence
from autograder.grading.draw import Draw
from autograder.grading.expect import Expect
from autograder.grading.fingerprint import fingerprints
from autograder.grading.items import Items, TooMuchToCheck
from autograder.grading.parallel import Lifeline
from autograder.grading.student import Student, StudentError
from autograder.grading.verdict import ItemOutcome, RungOutcome, Status
from autograder.jail import template
from autograder.jail.inside.faults import NotAllowed
from autograder.jail.template import Contents, Template
from autograder.jail.worker import Worker, WorkerLost
from autograder.report import Report, RungResult
from autograder.submission import Submission

DIAGNOSIS_SEED = 20170612  # any constant would do; each item has a seed of its own from it, as in a verdict run
HASH_SEEDS = 0, 1
STARTING = 180.0  # seconds that the starts of templates and workers may add to an item, at the very most
PATIENCE = 3  # the student's code has the item's seconds; with the checking of what it returned, an item has this many


def available_jail() -> str:
    return "bubblewrap" if template.bubblewrap() else "none"


class Templates:
    """The warm templates of one grading process; the second is started when it is first needed."""

    def __init__(self, contents: Contents, jail: str):
        self.jail = jail
        self._contents = contents
        self._templates: dict[int, Template] = {}
        self.get(HASH_SEEDS[0])

    def get(self, hash_seed: int) -> Template:
        if hash_seed not in self._templates:
            self._templates[hash_seed] = Template(self._contents, hash_seed=hash_seed, jail=self.jail)
        return self._templates[hash_seed]

    def __enter__(self) -> "Templates":
        return self

    def __exit__(self, *_) -> None:
        for started in self._templates.values():
            started.close()


@contextlib.contextmanager
def open_grader(
    course: Course, rungs: list[Rung], *, jail: str, naming: bool = True, lifeline: Lifeline | None = None
) -> Iterator["Grader"]:
    """A Grader, its graders collected and its template warming up. Without `naming` no mistake is looked up.

    lifeline: of the process that serves with it; it is told how long each item may take.
    """
    with Templates(course.jail_contents, jail) as templates:
        diagnosis = Diagnosis.load(rungs) if naming else Diagnosis({})
        with items.collected(course, rungs) as collected:
            yield Grader(course, rungs, collected, templates, diagnosis, lifeline)


class Grader:
    """Measures, names and says. Its inputs are the submission and a seed; nothing of one submission reaches another."""

    def __init__(
        self,
        course: Course,
        rungs: list[Rung],
        collected: Items,
        templates: Templates,
        diagnosis: Diagnosis,
        lifeline: Lifeline | None = None,
    ):
        self._course = course
        self._rungs = rungs
        self._items = collected
        self._templates = templates
        self._diagnosis = diagnosis
        self._lifeline = lifeline
        self._fingerprints = fingerprints(course, rungs)

    def grade(self, submission: Submission, seed: int | None = None) -> Report:
        """The report on one submission. `seed` replaces the one that is derived from the course secret."""
        seed = seeds.seed_for(submission, self._course, seed)
        results = [self._result(rung, submission, seed) for rung in self._rungs]
        return say.report(submission, self._course, results, jail=self._templates.jail, seed=seed)  # type: ignore[arg-type]

    def _result(self, rung: Rung, submission: Submission, seed: int) -> RungResult:
        outcome = self.measure(rung, submission, seed)
        names = self._diagnosis.name(rung, outcome.statuses, outcome.evidence)
        return say.rung_result(rung, outcome, names, self._fingerprints[rung.number])

    def measure(self, rung: Rung, submission: Submission, seed: int, *, evidence: bool = True) -> RungOutcome:
        """Runs the rung's items in order. Without `evidence` a failed item is not run again for the diagnosis."""
        start = time.perf_counter()
        outcomes: list[ItemOutcome] = []
        statuses: dict[str, Status] = {}
        with contextlib.closing(self._student(rung, submission)) as student:
            for item in rung.items:
                outcome = self._measure_item(rung, item, student, seed, statuses, evidence)
                outcomes.append(outcome)
                statuses[item.id] = outcome.status
        return RungOutcome(outcomes, round(time.perf_counter() - start, 3))

    def _student(self, rung: Rung, submission: Submission) -> Student:
        def opener(hash_seed: int):
            return lambda: Worker(self._templates.get(hash_seed), submission.files, rung.manifest.limits)

        return Student(*(opener(hash_seed) for hash_seed in HASH_SEEDS))

    def _measure_item(
        self, rung: Rung, item: Item, student: Student, seed: int, statuses: dict[str, Status], evidence: bool
    ) -> ItemOutcome:
        waits = verdict.blocked(item, rung, statuses)
        if waits is not None:
            return ItemOutcome(id=item.id, status=waits.status, points=0, seen=waits.seen)
        start = time.perf_counter()
        expect = Expect(recording=False)
        error = self._run(rung, item, student, seeds.item_seed(seed, rung.name, item.id), expect)
        strain = expect.strain if math.isfinite(expect.strain) else None
        if error is None:
            seconds = round(time.perf_counter() - start, 3)
            return ItemOutcome(id=item.id, status="passed", points=item.points, seconds=seconds, strain=strain)
        status, seen, rule = verdict.of(error, item)
        telling = status == "failed" or (status == "crashed" and isinstance(error, StudentError))
        found = self._evidence(rung, item, student) if evidence and telling else None
        seconds = round(time.perf_counter() - start, 3)
        return ItemOutcome(
            id=item.id, status=status, points=0, seen=seen, rule=rule, seconds=seconds, strain=strain, evidence=found
        )

    def _evidence(self, rung: Rung, item: Item, student: Student) -> Evidence:
        """What the failing item sees on the fixed inputs."""
        expect = Expect(recording=True)
        error = self._run(rung, item, student, seeds.item_seed(DIAGNOSIS_SEED, rung.name, item.id), expect)
        return Evidence.of(expect.record, error)

    def _run(self, rung: Rung, item: Item, student: Student, seed: int, expect: Expect) -> BaseException | None:
        if self._lifeline is not None:
            self._lifeline.within(PATIENCE * item.seconds + STARTING)
        student.watched = bool(self._course.allowed.allowed) and rung.watched_from(item)
        worker_seed = seeds.worker_seed(seed)
        try:
            student.begin(seed=worker_seed, seconds=item.seconds, names=item.names, not_allowed=item.not_allowed)
        except (StudentError, WorkerLost) as error:
            return error
        ended = self._items.run(rung, item, student, Draw(seed), expect, PATIENCE * item.seconds)
        refused = isinstance(ended, StudentError) and ended.type == NotAllowed.__name__
        if refused or isinstance(ended, TooMuchToCheck):
            # What it made by a refused call must not serve the next item; or it may be in the middle of a question.
            student.close()
        return ended


def grade(
    submissions: Iterable[Submission], course: Course, rungs: list[Rung], *, jail: str, seed: int | None = None
) -> list[Report]:
    """One Report per submission, in order. `seed` replaces the one derived from the course secret."""
    with open_grader(course, rungs, jail=jail) as grader:
        return [grader.grade(submission, seed) for submission in submissions]
