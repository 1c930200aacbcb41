"""The commands about data and trained models: data, climb, gpt2."""

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.app import DEFAULT_COURSE, DEFAULT_WORK, CourseFolder, Work, app

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
    course: CourseFolder = DEFAULT_COURSE,
) -> None:
    """The ladder on one page: train its assemblies and compare their losses."""
    from autograder.course import read
    from data import corpus as corpora
    from reports.climb import climb

    code = work if student else read(course).solutions
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
    from reports.gpt2 import complete

    done = complete(work, prompt, source=source)
    print(f"{done.text}\n\nLargest difference between your logits and the original's: {done.difference:.2g}")


@app.command()
def demo(work: Work = DEFAULT_WORK / "demo", course: CourseFolder = DEFAULT_COURSE) -> None:
    """The whole course at once: scaffold, fill in the reference, grade every rung, train."""
    from autograder.cli.demo import demo
    from autograder.course import read

    demo(read(course), work)
