"""`ladder …`: the command line. Every target of the Makefile is one call of it."""

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from autograder.errors import HarnessFault, UnusableInput
from autograder.jail.template import JailError
from data.errors import DataError

# Each command imports what it needs: `ladder --help` must not wait for torch.

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

UNUSABLE, FAULT = 2, 3
DEFAULT_WORK = Path("work")

Numbers = Annotated[
    list[int] | None, typer.Option("--milestone", "-m", help="Milestone number; may be repeated. Default: all.")
]
Work = Annotated[Path, typer.Option(help="The workspace.")]
Folder = Annotated[Path, typer.Argument(help="The workspace.")]


def fail(message: object, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(status)


def chosen(numbers: list[int] | None):
    """The rungs with these numbers, or all of them."""
    from autograder import course

    return [course.find(number) for number in dict.fromkeys(numbers)] if numbers else course.milestones()


@app.command()
def milestone(number: int, work: Work = DEFAULT_WORK) -> None:
    """Start a rung: add its stubs to the workspace. What is there already stays."""
    from autograder import course, workspace

    rung = course.find(number)
    for placed in workspace.scaffold(rung, work):
        note = {"created": "", "kept": "(unchanged stub)", "edited": "(yours; differs from the stub; left alone)"}
        print(f"  {placed.outcome:8} {work / placed.file}  {note[placed.outcome]}".rstrip())
    for earlier in workspace.missing_prerequisites(rung, work, course.milestones()):
        print(f"It builds on milestone {earlier.number}, which is not here yet: make milestone-{earlier.number}")
    print(f"\nMilestone {number}: {rung.title}. {rung.manifest.summary} About {rung.manifest.hours:g} hours.")
    print(f"Read  {rung.handout.relative_to(course.ROOT)}")
    print(f"Open  {work / rung.manifest.files[0]}")
    print(f"Then  make check M={number}  (public tests)  and  make grade M={number}")


@app.command()
def reset(number: int, work: Work = DEFAULT_WORK) -> None:
    """Put a rung's stubs back. Your version is kept in a dated folder."""
    from autograder import course, workspace

    backup = workspace.reset(course.find(number), work, datetime.datetime.now())
    print(f"Your version is in {backup}." if backup else "Nothing of yours was there to keep.")


@app.command()
def check(folder: Folder = DEFAULT_WORK, milestone: Numbers = None) -> None:
    """Run the public tests on your code with plain pytest, in your own process: a debugger works."""
    from autograder import workspace

    require_workspace(folder)
    statuses = [
        subprocess.run([sys.executable, *workspace.public_tests(rung)], cwd=folder).returncode
        for rung in chosen(milestone)
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
) -> None:
    """Grade a workspace with the hidden graders, in the jail, and print a table."""
    from autograder import grading, report, submission

    result = grading.grade([submission.read(folder)], chosen(milestone), jail=grading.available_jail(), seed=seed)[0]
    print(report.text(result))
    if json is not None:
        try:
            report.write(result, json)
        except OSError as error:
            fail(f"The report could not be written to {json}: {error.strerror}", UNUSABLE)


@app.command("grade-class")
def grade_class(
    folder: Annotated[Path, typer.Argument(help="One folder or archive per student, or nbgrader's submitted/ tree.")],
    out: Annotated[Path, typer.Option(help="Where reports, summary and CSV go; an interrupted run goes on here.")],
    milestone: Numbers = None,
    assignment: Annotated[str | None, typer.Option(help="nbgrader's assignment folder inside each student's.")] = None,
    trust: Annotated[bool, typer.Option(help="Grade without a jail where there is no bubblewrap.")] = False,
    seed: Annotated[int | None, typer.Option(help="One seed for all; default: one per submission.")] = None,
) -> None:
    """Grade a class: one process per core, resumable, a report per student, a summary and a CSV."""
    from autograder import grading
    from autograder.classroom import handed_in, summary
    from autograder.classroom.grade_class import grade_class

    numbers = [rung.number for rung in chosen(milestone)]
    found = handed_in.find(folder, assignment)
    results = grade_class(found, out, numbers, jail=grading.available_jail(), trust=trust, seed=seed)
    summary.write_csv(results, out / "summary.csv")
    print(summary.table(results))


@app.command()
def watch(folder: Folder = DEFAULT_WORK, milestone: Numbers = None) -> None:
    """Grade again whenever a file is saved, and say what changed."""
    from autograder import grading, report
    from autograder.watch import watch

    require_workspace(folder)

    def show(result, changes: list[str]) -> None:
        print(report.text(result))
        print("\n".join(["", "Since the last run:", *changes]) if changes else "", flush=True)

    watch(folder, chosen(milestone), grading.available_jail(), show)


@app.command()
def explain(mistake: str) -> None:
    """Explain a mistake by its name: cause, example, the handout's section."""
    from autograder import course
    from autograder.explain import explain

    print(explain(mistake, course.milestones()))


@app.command()
def demo(work: Work = DEFAULT_WORK / "demo") -> None:
    """The whole course at once: scaffold, fill in the reference, grade every rung, train."""
    from autograder.demo import demo

    demo(work)


data_app = typer.Typer(no_args_is_help=True, help="Corpora: what there is, and token files made of them.")
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list() -> None:
    """The corpora: size, licence, vocabulary, checksum, counted entropies."""
    from data import listing

    print(listing.table())


@data_app.command("show")
def data_show(name: str) -> None:
    """All that is known about one corpus, by name, path or address."""
    from data import listing

    print(listing.show(name))


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="A corpus's name, a text file, or an address.")],
    out: Annotated[Path, typer.Option(help="The folder for the token files.")],
    tokenizer: Annotated[str, typer.Option(help="char, bpe:FILE, tiktoken:NAME or tiktoken:FILE.")] = "char",
    work: Work = DEFAULT_WORK,
) -> None:
    """Tokenize a corpus into memory-mapped files. An interrupted run goes on where it stopped."""
    from data import corpus, prepare, tokenizers

    text = corpus.load(name)
    facts = prepare.prepare(text, tokenizers.by_name(tokenizer, text.text, work), out)
    print(f"{out}: {facts.train.tokens:,} training and {facts.val.tokens:,} validation tokens of {facts.vocab_size:,}")


@app.command()
def climb(
    corpus: Annotated[str, typer.Option(help="A corpus's name, a text file, or an address.")] = "embedded",
    student: Annotated[bool, typer.Option("--student", help="Train your own code instead of the reference's.")] = False,
    work: Work = DEFAULT_WORK,
    out: Annotated[Path | None, typer.Option(help="Where results go; an interrupted climb goes on here.")] = None,
) -> None:
    """The ladder on one page: train its assemblies and compare their losses."""
    from autograder.course import SOLUTIONS
    from data import corpus as corpora
    from reports.climb import climb

    code = work if student else SOLUTIONS
    print(climb(code, corpora.load(corpus), out or work / "reports" / ("climb" if student else "climb-reference")))


@app.command()
def gpt2(
    prompt: str,
    work: Work = DEFAULT_WORK,
    source: Annotated[
        str, typer.Option(help="A name on the hub (needs the network) or a saved checkpoint.")
    ] = "openai-community/gpt2",
) -> None:
    """Load the published GPT-2 into your own model and let it continue a prompt."""
    from autograder.gpt2 import complete

    done = complete(work, prompt, source=source)
    print(f"{done.text}\n\nLargest difference between your logits and the original's: {done.difference:.2g}")


@app.command("check-course")
def check_course(
    milestone: Numbers = None,
    record: Annotated[bool, typer.Option(help="First write down what each catalogued mistake looks like.")] = False,
    catalogue: Annotated[bool, typer.Option(help="The catalogue only: no mutants, no repeats, no report.")] = False,
) -> None:
    """Grade the grader: stubs, solutions, alternatives, mistakes, mutants, repeats; all rungs together: the report."""
    from autograder import grading
    from autograder.audit import report, run

    rungs, jail = chosen(milestone), grading.available_jail()
    problems = run.record(rungs, jail) if record else []
    audit = run.check(rungs, jail)
    if audit.rungs and not catalogue:
        run.try_mutants(audit, jail)
        run.repeat(audit, jail)
        if not milestone:
            report.write(audit)
    problems += audit.problems
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)


def require_workspace(folder: Path) -> None:
    if not folder.is_dir():
        raise UnusableInput(
            f"{folder} is no workspace yet. To begin: make milestone-1, edit the files it names, make grade."
        )


def main() -> None:
    """Runs the command line; what people can act on is said in a sentence, not as a traceback."""
    try:
        app()
    except (UnusableInput, DataError) as error:
        print(error, file=sys.stderr)
        sys.exit(UNUSABLE)
    except (HarnessFault, JailError) as error:
        print(f"The harness is at fault, not your code: {error}", file=sys.stderr)
        sys.exit(FAULT)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
