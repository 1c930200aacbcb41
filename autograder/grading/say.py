"""The last of the three steps: what was measured, and how it was named, becomes a report."""

from collections.abc import Mapping
from typing import Literal

from autograder.course import Course, Rung
from autograder.grading import seeds
from autograder.grading.catalogue import Mistake
from autograder.grading.fingerprint import Fingerprint, fingerprints
from autograder.grading.verdict import ItemOutcome, RungOutcome
from autograder.report import ItemResult, Report, RungResult, SubmissionInfo, schema_of
from autograder.submission import Submission

Jail = Literal["bubblewrap", "none"]


def rung_result(
    rung: Rung, outcome: RungOutcome, names: Mapping[str, Mistake | None], under: Fingerprint
) -> RungResult:
    """The rung's part of the report. `names`: for each item with evidence, the mistake that explains it, or None."""
    results = []
    for item, found in zip(rung.items, outcome.items, strict=True):
        mistake = names.get(item.id)
        passed = found.status == "passed"
        hint = item.hint if mistake is None else mistake.hint
        result = ItemResult(
            id=item.id,
            title=item.title,
            status=found.status,
            points=found.points,
            max_points=item.points,
            mistake=None if mistake is None else mistake.name,
            seen=found.seen,
            rule=found.rule,
            cause="" if mistake is None else mistake.cause,
            hint="" if passed or found.status == "blocked" else hint,
            handout=rung.anchor(item.anchor if mistake is None else mistake.anchor),
            seconds=found.seconds,
        )
        results.append(result)
    return RungResult(
        id=rung.number,
        slug=rung.manifest.slug,
        title=rung.title,
        points=sum(result.points for result in results),
        max_points=rung.points,
        seconds=outcome.seconds,
        fingerprint=str(under),
        items=results,
    )


def report(submission: Submission, course: Course, results: list[RungResult], *, jail: Jail, seed: int) -> Report:
    """The whole report."""
    return Report(
        schema=schema_of(course.config.name),
        submission=SubmissionInfo(path=submission.path, sha256=submission.sha256, findings=submission.findings),
        seed=seed,
        jail=jail,
        points=sum(result.points for result in results),
        max_points=sum(result.max_points for result in results),
        rungs=results,
    )


def lost_report(
    submission: Submission, reason: str, course: Course, rungs: list[Rung], *, jail: Jail, seed: int | None
) -> Report:
    """The report on a submission that nobody can grade, since it ends the process that does: no points, and why."""
    under = fingerprints(course, rungs)
    story = f"Grading this submission ended the grading process, twice ({reason}), so nothing of it counts."
    results = []
    for rung in rungs:
        outcomes = [ItemOutcome(id=item.id, status="crashed", points=0, seen=story) for item in rung.items]
        results.append(rung_result(rung, RungOutcome(outcomes, 0.0), {}, under[rung.number]))
    return report(submission, course, results, jail=jail, seed=seeds.seed_for(submission, course, seed))
