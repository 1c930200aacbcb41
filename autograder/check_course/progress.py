"""Grades jobs with a progress bar."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder.check_course.outcomes import Job, outcomes
from autograder.course import Course
from autograder.grading.verdict import RungOutcome


def graded(jobs: list[Job], title: str, course: Course, jail: str, *, load: int = 1) -> list[tuple[Job, RungOutcome]]:
    """(job, outcome) in the order in which they came. `load`: grader processes per core."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    results = []
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task(title, total=len(jobs))
        for result in outcomes(jobs, course, jail, load=load):
            results.append(result)
            progress.advance(task)
    return results
