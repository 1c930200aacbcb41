"""The instructor's commands: grade a class."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import DEFAULT_COURSE, CourseFolder, Numbers, app, chosen


@app.command("grade-class")
def grade_class(
    folder: Annotated[Path, typer.Argument(help="One folder or archive per student, or nbgrader's submitted/ tree.")],
    out: Annotated[Path, typer.Option(help="Where reports, summary and CSV go; an interrupted run goes on here.")],
    milestone: Numbers = None,
    assignment: Annotated[str | None, typer.Option(help="nbgrader's assignment folder inside each student's.")] = None,
    trust: Annotated[bool, typer.Option(help="Grade without a jail if there is no bubblewrap.")] = False,
    seed: Annotated[int | None, typer.Option(help="One seed for all; default: one per submission.")] = None,
    course: CourseFolder = DEFAULT_COURSE,
) -> None:
    """Grade a class: one process per core, resumable, a report per student, a summary and a CSV."""
    from autograder.classroom import handed_in, summary
    from autograder.classroom.grade_class import grade_class
    from autograder.classroom.out import OutUnusable
    from autograder.course import read
    from autograder.grading.grader import available_jail

    ours = read(course)
    found = handed_in.find(folder, assignment)
    rungs = chosen(ours, milestone)
    try:
        results = grade_class(found, out, ours, rungs, jail=available_jail(), trust=trust, seed=seed)
    except OutUnusable as trouble:
        if trouble.results:
            print(summary.table(trouble.results))
            with contextlib.suppress(OutUnusable):  # `trouble` says it already
                summary.write_csv(trouble.results, out / "summary.csv")
        raise
    print(summary.table(results))
    summary.write_csv(results, out / "summary.csv")
