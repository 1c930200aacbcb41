"""The whole check of some rungs: what is graded, what it came to, and which problems follow."""

from collections.abc import Callable

import msgspec

from autograder.check_course import judge, mutants, stability, static
from autograder.check_course.judge import Problem, Trial
from autograder.check_course.outcomes import Job
from autograder.check_course.progress import graded
from autograder.check_course.stability import Flake
from autograder.check_course.subjects import Subject, Subjects
from autograder.course import Course, Rung
from autograder.grading import diagnosis
from autograder.grading.diagnosis import Diagnosis
from autograder.grading.fingerprint import fingerprints
from autograder.grading.verdict import RungOutcome
from data.files import write_atomically


class RungCheck(msgspec.Struct):
    """What grading the subjects of one rung showed. `mutants`: those graded, with what they ended in."""

    rung: Rung
    solution: tuple[Subject, RungOutcome]
    alternatives: list[tuple[Subject, RungOutcome]]
    nothing: list[tuple[Subject, RungOutcome]]
    trials: list[Trial]
    ported: list[Trial]
    mutants: list[tuple[Subject, RungOutcome]]


class CourseCheck(msgspec.Struct):
    """What grading the grader showed. `rungs` is empty if a rung's files contradict themselves: see `problems`."""

    rungs: list[RungCheck]
    repeats: int
    flakes: list[Flake]
    problems: list[Problem]


Choose = Callable[[list], list]


def everything(subjects: list) -> list:
    return subjects


def record(course: Course, rungs: list[Rung], jail: str) -> list[Problem]:
    """Grades every catalogued mistake and writes down what each looks like."""
    subjects = Subjects(course)
    made = {rung.number: [subject for _, subject in subjects.mistakes(rung)] for rung in rungs}
    under = fingerprints(course, rungs)  # as they are now, not when the grading ends
    outcomes = _by_subject(
        [Job(subject) for mistaken in made.values() for subject in mistaken], "recording", course, jail
    )
    problems = []
    for rung in rungs:
        kept = {subject.name: outcomes[str(subject)].evidence for subject in made[rung.number]}
        write_atomically(diagnosis.path_for(rung), diagnosis.encoded(under[rung.number], kept))
        for name, evidence in kept.items():
            if not evidence:
                problems.append(Problem(rung.name, name, "leaves no evidence: it passes, or only times out or dies"))
    return problems


def check(course: Course, rungs: list[Rung], jail: str, choose: Choose = everything) -> CourseCheck:
    """Grades all subjects but mutants. `choose` may leave some out."""
    subjects = Subjects(course)
    under = fingerprints(course, rungs)
    problems = [problem for rung in rungs for problem in static.problems(course, rung, subjects, under[rung.number])]
    if problems:
        return CourseCheck([], 0, [], problems)
    chosen = [_Chosen(rung, subjects, choose) for rung in rungs]
    jobs = [Job(subject) for rung in chosen for subject in rung.all()]
    outcomes = _by_subject(jobs, "grading", course, jail)
    checked = CourseCheck([], 0, [], [])
    for rung in chosen:
        known = Diagnosis.load([rung.rung])
        checked.rungs.append(rung.check(outcomes, known))
        checked.problems += _problems(checked.rungs[-1], outcomes[str(rung.stubs)], course.config.nothing_earns_at_most)
        if choose is everything:
            last = checked.rungs[-1]
            checked.problems += judge.idle_items(rung.rung, [*last.trials, *last.ported], known)
    return checked


class _Chosen:
    """The subjects of one rung that are graded."""

    def __init__(self, rung: Rung, subjects: Subjects, choose: Choose):
        self.rung = rung
        self.solution, self.stubs = subjects.solution(rung), subjects.stubs(rung)
        self.alternatives, self.nothing = choose(subjects.alternatives(rung)), choose(subjects.nothing(rung))
        self.mistakes, self.ported = choose(subjects.mistakes(rung)), choose(subjects.ported(rung))

    def all(self) -> list[Subject]:
        wrong = [subject for _, subject in (*self.mistakes, *self.ported)]
        return [self.solution, self.stubs, *self.alternatives, *self.nothing, *wrong]

    def check(self, outcomes: dict[str, RungOutcome], known: Diagnosis) -> RungCheck:
        def tried(pairs) -> list[Trial]:
            return [
                judge.trial(self.rung, subject, mistake, outcomes[str(subject)], known) for mistake, subject in pairs
            ]

        return RungCheck(
            rung=self.rung,
            solution=(self.solution, outcomes[str(self.solution)]),
            alternatives=[(subject, outcomes[str(subject)]) for subject in self.alternatives],
            nothing=[(subject, outcomes[str(subject)]) for subject in self.nothing],
            trials=tried(self.mistakes),
            ported=tried(self.ported),
            mutants=[],
        )


def _problems(checked: RungCheck, stubs: RungOutcome, most: int) -> list[Problem]:
    """`most`: the points that a submission may earn that does nothing."""
    problems: list[Problem] = []
    for subject, outcome in (checked.solution, *checked.alternatives):
        problems += judge.right(checked.rung, subject, outcome)
    problems += judge.unwritten(checked.rung, stubs)
    for subject, outcome in checked.nothing:
        problems += judge.idle(checked.rung, subject, outcome, most)
    for trial in (*checked.trials, *checked.ported):
        problems += judge.wrong(checked.rung, trial)
    return problems


def try_mutants(checked: CourseCheck, course: Course, jail: str) -> None:
    """Grades the mutants; one that gets full marks and is not classified is a problem."""
    reference, rules = Subjects(course).reference, course.config.mutants
    made = {rung.rung.number: mutants.mutants(rung.rung, reference, rules) for rung in checked.rungs}
    jobs = [Job(subject) for subjects in made.values() for subject in subjects]
    outcomes = _by_subject(jobs, "mutants", course, jail)
    for rung in checked.rungs:
        rung.mutants = [(subject, outcomes[str(subject)]) for subject in made[rung.rung.number]]
        classified = mutants.survivors(rung.rung)
        for subject, outcome in rung.mutants:
            if outcome.full and subject.name not in classified:
                complaint = "gets full marks and is not classified"
                checked.problems.append(Problem(rung.rung.name, f"mutant {subject.name}", complaint))


def repeat(checked: CourseCheck, course: Course, jail: str) -> None:
    """Grades the reference and some mistakes again and again; a verdict that changes is a problem."""
    each, left_over = divmod(stability.MISTAKES, len(checked.rungs))
    jobs = []
    for number, rung in enumerate(checked.rungs):
        some = stability.chosen(rung.rung, rung.trials, each + (number < left_over))
        right = [subject for subject, _ in rung.alternatives]
        jobs += stability.jobs(rung.rung, rung.solution[0], right, some)
    results = graded(jobs, "repeats", course, jail, load=stability.LOAD)
    checked.repeats = len(results)
    checked.flakes = stability.flakes(results)
    names = {rung.rung.number: rung.rung.name for rung in checked.rungs}
    checked.problems += [Problem(names[flake.rung], flake.subject, str(flake)) for flake in checked.flakes]


def _by_subject(jobs: list[Job], title: str, course: Course, jail: str) -> dict[str, RungOutcome]:
    return {str(job): outcome for job, outcome in graded(jobs, title, course, jail)}
