"""The learner's commands: start, reset, check, grade, watch, explain."""

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import (
    DEFAULT_COURSE,
    DEFAULT_WORK,
    UNUSABLE,
    CourseFolder,
    Folder,
    Numbers,
    Work,
    app,
    chosen,
    fail,
    require_workspace,
)


@app.command()
def milestone(number: int, work: Work = DEFAULT_WORK, course: CourseFolder = DEFAULT_COURSE) -> None:
    """Start a rung: add its stubs to the workspace. What is there already stays."""
    from autograder.course import read
    from autograder.learner import workspace

    ours = read(course)
    rung = ours.rung(number)
    for placed in workspace.scaffold(ours, rung, work):
        note = {"created": "", "kept": "(unchanged stub)", "edited": "(yours; differs from the stub; left alone)"}
        print(f"  {placed.outcome:8} {work / placed.file}  {note[placed.outcome]}".rstrip())
    for earlier in workspace.missing_prerequisites(rung, work, ours.rungs()):
        print(f"It builds on milestone {earlier.number}, which is not here yet: make milestone-{earlier.number}")
    print(f"\nMilestone {number}: {rung.title}. {rung.manifest.summary} About {rung.manifest.hours:g} hours.")
    print(f"Read  {os.path.relpath(rung.handout)}")
    print(f"Open  {work / rung.manifest.files[0]}")
    print(f"Then  make check M={number}  (public tests)  and  make grade M={number}")


@app.command()
def reset(number: int, work: Work = DEFAULT_WORK, course: CourseFolder = DEFAULT_COURSE) -> None:
    """Put a rung's stubs back. Your version is kept in a dated folder."""
    from autograder.course import read
    from autograder.learner import workspace

    ours = read(course)
    backup = workspace.reset(ours, ours.rung(number), work, datetime.datetime.now())
    print(f"Your version is in {backup}." if backup else "Nothing of yours was there to keep.")


@app.command()
def check(folder: Folder = DEFAULT_WORK, milestone: Numbers = None, course: CourseFolder = DEFAULT_COURSE) -> None:
    """Run the public tests on your code with plain pytest, in your own process: a debugger works."""
    from autograder.course import read
    from autograder.learner import workspace

    require_workspace(folder)
    statuses = [
        subprocess.run([sys.executable, *workspace.public_tests(rung)], cwd=folder).returncode
        for rung in chosen(read(course), milestone)
        if all((folder / file).exists() for file in rung.manifest.files)
    ]
    if not statuses:
        fail("No milestone is started in this workspace. To begin: make milestone-1", UNUSABLE)
    raise typer.Exit(max(statuses))


@app.command()
def grade(
    folder: Folder = DEFAULT_WORK,
    milestone: Numbers = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat the verdicts of the report with this seed.")] = None,
    course: CourseFolder = DEFAULT_COURSE,
) -> None:
    """Grade a workspace with the hidden graders, in the jail, and print a table."""
    from autograder import report
    from autograder.course import read
    from autograder.grading import grader
    from autograder.intake import Reader, is_archive

    if not (is_archive(folder.name) and folder.is_file()):
        require_workspace(folder)
    ours = read(course)
    with Reader(ours.config.packages) as reader:
        taken = reader.read(folder, own=True)
    (result,) = grader.grade([taken], ours, chosen(ours, milestone), jail=grader.available_jail(), seed=seed)
    print(report.text(result))
    if json is not None:
        try:
            report.write(result, json)
        except OSError as error:
            fail(f"The report could not be written to {json}: {error.strerror}", UNUSABLE)


@app.command()
def watch(folder: Folder = DEFAULT_WORK, milestone: Numbers = None, course: CourseFolder = DEFAULT_COURSE) -> None:
    """Grade again whenever a file is saved, and say what changed."""
    from autograder import report
    from autograder.course import read
    from autograder.grading import grader
    from autograder.learner.watch import watch

    require_workspace(folder)

    def show(result, changes: list[str]) -> None:
        print(report.text(result))
        print("\n".join(["", "Since the last run:", *changes]) if changes else "", flush=True)

    ours = read(course)
    watch(folder, ours, chosen(ours, milestone), grader.available_jail(), show)


@app.command()
def explain(mistake: str, course: CourseFolder = DEFAULT_COURSE) -> None:
    """Explain a mistake by its name: cause, example, the handout's section."""
    from autograder.course import read
    from autograder.learner.explain import explain

    print(explain(mistake, read(course).rungs()))
