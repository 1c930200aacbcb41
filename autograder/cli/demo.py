"""The whole course in a few minutes: every rung scaffolded, filled in with the reference, graded; a model trained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from autograder import course, grading, submission, workspace
from autograder.course import SOLUTIONS, Milestone
from autograder.files import write_atomically
from autograder.report import Report
from data import corpus
from reports.climb import RUNGS, climb

# The climb's first and last rung, cut short: enough to see a loss fall and to read a sample.
TRAINED = [replace(RUNGS[0], steps=1500), replace(RUNGS[-1], steps=300)]


def demo(work: Path, show: Callable[[str], None] = print) -> Report:
    """Scaffolds `work`, grades it and trains with its code on the embedded corpus. Says what it does on the way."""
    rungs = course.milestones()
    show(f"1. Scaffolding {len(rungs)} milestones into {work}, and filling in the reference")
    for rung in rungs:
        fill_in(rung, work)
    show("2. Grading")
    report = grading.grade([submission.read(work)], rungs, jail=grading.available_jail())[0]
    show(table(report))
    show("3. Training on the embedded corpus, with the workspace's own code")
    show(climb(work, corpus.load("embedded"), work / "reports" / "climb", rungs=TRAINED))
    show(f"Next: make milestone-1, then read {rungs[0].handout.relative_to(course.ROOT)}")
    return report


def fill_in(rung: Milestone, work: Path) -> None:
    """Puts the reference where the rung's untouched stubs are, and its notes where the template's are."""
    workspace.scaffold(rung, work)
    for file, stub in workspace.shipped(rung).items():
        if (work / file).read_bytes() == stub:
            write_atomically(work / file, (SOLUTIONS / file).read_bytes())
    for notes in SOLUTIONS.glob("notes/*.md"):
        template = workspace.TEMPLATE / "notes" / notes.name
        target = work / "notes" / notes.name
        if template.exists() and target.read_bytes() == template.read_bytes():
            write_atomically(target, notes.read_bytes())


def table(report: Report) -> str:
    rows = [
        (str(milestone.id), milestone.title, f"{milestone.points}/{milestone.max_points}", f"{milestone.seconds:.1f}")
        for milestone in report.milestones
    ]
    rows.append(
        ("", "together", f"{report.points}/{report.max_points}", f"{sum(m.seconds for m in report.milestones):.1f}")
    )
    return tabulate(rows, headers=["", "milestone", "points", "seconds"], tablefmt="simple", disable_numparse=True)
