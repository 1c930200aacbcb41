"""The whole course in a few minutes: every rung scaffolded, filled in with the reference, graded; a model trained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from autograder import submission
from autograder.course import Course, Rung
from autograder.grading import grader
from autograder.learner import workspace
from autograder.report import Report
from data import corpus
from data.files import write_atomically
from reports.climb import ASSEMBLIES, climb

# The climb's first and last rung, cut short: enough to see a loss fall and to read a sample.
TRAINED = [replace(ASSEMBLIES[0], steps=1500), replace(ASSEMBLIES[-1], steps=300)]


def demo(course: Course, work: Path, show: Callable[[str], None] = print) -> Report:
    """Scaffolds `work`, grades it and trains with its code on the embedded corpus. Says what it does on the way."""
    rungs = course.rungs()
    show(f"1. Scaffolding {len(rungs)} milestones into {work}, and filling in the reference")
    for rung in rungs:
        fill_in(course, rung, work)
    show("2. Grading")
    (report,) = grader.grade([submission.read(work)], course, rungs, jail=grader.available_jail())
    show(table(report))
    show("3. Training on the embedded corpus, with the workspace's own code")
    show(climb(work, corpus.load("embedded"), work / "reports" / "climb", assemblies=TRAINED))
    show(f"Next: make milestone-1, then read {rungs[0].handout.relative_to(course.root)}")
    return report


def fill_in(course: Course, rung: Rung, work: Path) -> None:
    """Puts the reference where the rung's untouched stubs are, and its notes where the template's are."""
    workspace.scaffold(course, rung, work)
    for file, stub in workspace.shipped(course, rung).items():
        if (work / file).read_bytes() == stub:
            write_atomically(work / file, (course.solutions / file).read_bytes())
    for notes in course.solutions.glob("notes/*.md"):
        template = course.template / "notes" / notes.name
        target = work / "notes" / notes.name
        if template.exists() and target.read_bytes() == template.read_bytes():
            write_atomically(target, notes.read_bytes())


def table(report: Report) -> str:
    rows = [
        (str(rung.id), rung.title, f"{rung.points}/{rung.max_points}", f"{rung.seconds:.1f}") for rung in report.rungs
    ]
    seconds = sum(rung.seconds for rung in report.rungs)
    rows.append(("", "together", f"{report.points}/{report.max_points}", f"{seconds:.1f}"))
    return tabulate(rows, headers=["", "milestone", "points", "seconds"], tablefmt="simple", disable_numparse=True)
