"""`ladder …`: the command line. Every target of the Makefile is one call of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

GRADED, UNUSABLE, FAULT = 0, 2, 3
Numbers = Annotated[
    list[int] | None, typer.Option("--milestone", "-m", help="Milestone number; repeatable. Default: all.")
]


def fail(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    raise typer.Exit(status)


def chosen(numbers: list[int] | None):
    from autograder import course

    return [course.find(number) for number in numbers] if numbers else course.milestones()


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(help="The workspace to grade.")],
    milestone: Numbers = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat the verdicts of the report with this seed.")] = None,
) -> None:
    """Grade a workspace with the hidden graders and print a table."""
    from autograder import grading, report, submission

    try:
        work = submission.read(folder)
        result = grading.grade([work], chosen(milestone), jail=grading.available_jail(), seed=seed)[0]
    except submission.UnusableInput as error:
        fail(str(error), UNUSABLE)
    print(report.text(result))
    if json is not None:
        report.write(result, json)


@app.command("check-course")
def check_course(
    milestone: Numbers = None,
    record: Annotated[bool, typer.Option(help="Write what each catalogued mistake looks like first.")] = False,
) -> None:
    """Grade the grader: stubs, solutions, alternatives and mistakes of each rung."""
    from autograder import check_course, grading

    problems = []
    for rung in chosen(milestone):
        problems += check_course.static_problems(rung)
        problems += check_course.check(
            rung, jail=grading.available_jail(), record=record, progress=lambda text: print(text, file=sys.stderr)
        )
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
