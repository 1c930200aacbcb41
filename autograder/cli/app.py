"""The `ladder` application, and what its commands share: common options, exit statuses, and how trouble is told."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from autograder import inert
from autograder.errors import HarnessFault, UnusableInput
from autograder.jail.template import JailError
from data.errors import DataError

# Each command imports what it needs: `ladder --help` must not wait for torch.

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

UNUSABLE, FAULT = 2, 3
DEFAULT_WORK = Path("work")
DEFAULT_COURSE = Path(__file__).resolve().parents[2]

Numbers = Annotated[
    list[int] | None, typer.Option("--milestone", "-m", help="Milestone number; may be repeated. Default: all.")
]
Work = Annotated[Path, typer.Option(help="The workspace.")]
Folder = Annotated[Path, typer.Argument(help="The workspace.")]
CourseFolder = Annotated[
    Path, typer.Option("--course", help="The folder that holds the course's milestones/, if not this one.")
]


def fail(message: object, status: int) -> NoReturn:
    say(message)
    raise typer.Exit(status)


def say(message: object) -> None:
    """Tells of trouble; names in it may be anybody's."""
    print(inert.block(str(message)), file=sys.stderr)


def chosen(course, numbers: list[int] | None):
    """The course's rungs with these numbers, or all of them."""
    return [course.rung(number) for number in dict.fromkeys(numbers)] if numbers else course.rungs()


def require_workspace(folder: Path) -> None:
    if not folder.is_dir():
        raise UnusableInput(
            f"There is no workspace at {folder} yet. To begin: make milestone-1, edit the files it names, make grade."
        )


def main() -> None:
    """Runs the command line; what people can act on is said in a sentence, not as a traceback."""
    try:
        app()
    except (UnusableInput, DataError) as error:
        say(error)
        sys.exit(UNUSABLE)
    except (HarnessFault, JailError) as error:
        say(f"The harness is at fault, not your code: {error}")
        sys.exit(FAULT)
    except KeyboardInterrupt:
        sys.exit(130)
