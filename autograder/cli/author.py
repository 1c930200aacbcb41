"""The course author's commands: check the course."""

from typing import Annotated

import typer

from autograder.cli.app import DEFAULT_COURSE, CourseFolder, Numbers, app, chosen


@app.command("check-course")
def check_course(
    milestone: Numbers = None,
    record: Annotated[bool, typer.Option(help="First write down what each catalogued mistake looks like.")] = False,
    catalogue: Annotated[bool, typer.Option(help="The catalogue only: no mutants, no repeats, no report.")] = False,
    course: CourseFolder = DEFAULT_COURSE,
) -> None:
    """Grade the grader: stubs, solutions, alternatives, mistakes, mutants, repeats; all rungs together: the report."""
    from autograder.check_course import page, run
    from autograder.course import read
    from autograder.grading.grader import available_jail

    ours = read(course)
    rungs, jail = chosen(ours, milestone), available_jail()
    problems = run.record(ours, rungs, jail) if record else []
    checked = run.check(ours, rungs, jail)
    if checked.rungs and not catalogue:
        run.try_mutants(checked, ours, jail)
        run.repeat(checked, ours, jail)
        if not milestone:
            page.write(checked, ours)
    problems += checked.problems
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)
