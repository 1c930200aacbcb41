"""The whole audit of some rungs: what is graded, what it came to, and which problems follow."""

from collections.abc import Callable

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder.audit import judge, mutants, stability, static
from autograder.audit.judge import Problem, Trial
from autograder.audit.outcomes import Job, Outcome, outcomes
from autograder.audit.stability import Flake
from autograder.audit.subjects import Subject, alternatives, mistakes, ported, reference, solution, stubs
from autograder.course import Milestone
from autograder.files import write_atomically
from autograder.mistakes import diagnosis
from autograder.mistakes.diagnosis import Diagnosis


class RungAudit(msgspec.Struct):
    """What grading the subjects of one rung showed. `mutants`: those graded, with what they ended in."""

    milestone: Milestone
    solution: tuple[Subject, Outcome]
    alternatives: list[tuple[Subject, Outcome]]
    trials: list[Trial]
    ported: list[Trial]
    mutants: list[tuple[Subject, Outcome]]


class Audit(msgspec.Struct):
    rungs: list[RungAudit]
    repeats: int
    flakes: list[Flake]
    problems: list[Problem]


Choose = Callable[[list], list]


def everything(subjects: list) -> list:
    return subjects


def record(milestones: list[Milestone], jail: str) -> list[Problem]:
    """Grades every catalogued mistake and writes down what each looks like."""
    problems: list[Problem] = []
    graded = _graded([Job(one) for rung in milestones for _, one in mistakes(rung)], "recording", jail)
    for rung in milestones:
        kept = {one.name: graded[str(one)].evidence for _, one in mistakes(rung)}
        write_atomically(diagnosis.path_for(rung), diagnosis.save(diagnosis.key_for(rung, reference()), kept))
        for name, evidence in kept.items():
            if not evidence:
                problems.append(Problem(rung.name, name, "leaves no evidence: it passes, or only times out or dies"))
    return problems


def check(milestones: list[Milestone], jail: str, choose: Choose = everything) -> Audit:
    """Grades stubs, solutions, alternatives, mistakes and mistakes in alternatives. `choose` may leave some out."""
    problems = [problem for rung in milestones for problem in static.problems(rung)]
    if problems:
        return Audit([], 0, [], problems)
    known = {rung.number: Diagnosis.load([rung]) for rung in milestones}
    wrong = {rung.number: choose(mistakes(rung)) for rung in milestones}
    moved = {rung.number: choose(ported(rung)) for rung in milestones}
    others = {rung.number: choose(alternatives(rung)) for rung in milestones}
    subjects = [one for rung in milestones for one in (solution(rung), stubs(rung), *others[rung.number])]
    subjects += [one for pairs in (*wrong.values(), *moved.values()) for _, one in pairs]
    graded = _graded([Job(one) for one in subjects], "grading", jail)
    rungs = []
    for rung in milestones:

        def tried(pairs, rung=rung) -> list[Trial]:
            return [judge.trial(rung, one, mistake, graded[str(one)], known[rung.number]) for mistake, one in pairs]

        audit = RungAudit(
            milestone=rung,
            solution=(solution(rung), graded[str(solution(rung))]),
            alternatives=[(one, graded[str(one)]) for one in others[rung.number]],
            trials=tried(wrong[rung.number]),
            ported=tried(moved[rung.number]),
            mutants=[],
        )
        for subject, outcome in (audit.solution, *audit.alternatives):
            problems += judge.right(rung, subject, outcome)
        problems += judge.unwritten(rung, graded[str(stubs(rung))])
        for one in (*audit.trials, *audit.ported):
            problems += judge.wrong(rung, one)
        if choose is everything:
            problems += judge.idle_items(rung, [*audit.trials, *audit.ported], known[rung.number])
        rungs.append(audit)
    return Audit(rungs, 0, [], problems)


def try_mutants(audit: Audit, jail: str) -> None:
    """Grades the mutants; one that gets full marks and is not classified is a problem."""
    made = {rung.milestone.number: mutants.mutants(rung.milestone) for rung in audit.rungs}
    graded = _graded([Job(one) for subjects in made.values() for one in subjects], "mutants", jail)
    classified = mutants.survivors()
    for rung in audit.rungs:
        rung.mutants = [(one, graded[str(one)]) for one in made[rung.milestone.number]]
        for subject, outcome in rung.mutants:
            if outcome.full and (rung.milestone.number, subject.name) not in classified:
                problem = Problem(
                    rung.milestone.name, f"mutant {subject.name}", "gets full marks and is not classified"
                )
                audit.problems.append(problem)


def repeat(audit: Audit, jail: str) -> None:
    """Grades the reference and some mistakes again and again; a verdict that changes is a problem."""
    each, left_over = divmod(stability.MISTAKES, len(audit.rungs))
    jobs = []
    for number, rung in enumerate(audit.rungs):
        some = stability.chosen(rung.milestone, rung.trials, each + (number < left_over))
        jobs += stability.jobs(rung.milestone, rung.solution[0], some)
    results = _results(jobs, "repeats", jail, stability.LOAD)
    audit.repeats = len(results)
    audit.flakes = stability.flakes(results)
    names = {rung.milestone.number: rung.milestone.name for rung in audit.rungs}
    audit.problems += [Problem(names[one.rung], one.subject, str(one)) for one in audit.flakes]


def _graded(jobs: list[Job], title: str, jail: str) -> dict[str, Outcome]:
    return {str(job): outcome for job, outcome in _results(jobs, title, jail)}


def _results(jobs: list[Job], title: str, jail: str, load: int = 1) -> list[tuple[Job, Outcome]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task(title, total=len(jobs))
        results = []
        for result in outcomes(jobs, jail, load=load):
            results.append(result)
            progress.advance(task)
    return results
