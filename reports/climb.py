"""`ladder climb`: the ladder on one page. Seven models, each a little taller than the one before, on one corpus.

The six assemblies of the lecture "Let's build GPT" (Karpathy 2023), then nanoGPT's CPU configuration through the
learner's own GPT and training loop. Each is trained in a process of its own (climb_rung.py) with the code of one
folder: the reference's, or a student's on their own machine. A rung that is done is not done again: its result is
kept in climb.json under a key made of code, corpus and recipe, so an interrupted climb goes on where it stopped.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tabulate import tabulate

from autograder.errors import UnusableInput
from autograder.submission import digest, read
from data import embedded, registry
from data.corpus import Corpus
from data.embedded import entropy, parser
from data.files import write_atomically

CHILD = Path(__file__).with_name("climb_rung.py")
TOLERANCE = 0.03
EVAL_TOKENS = 256_000  # the lecture's 200 batches have 51,200, which leaves an uncertainty of 0.01
SAMPLE_TOKENS = 1000
NANO_GPT = "nanoGPT"
NANO_GPT_LOSS = 1.8857


@dataclass(frozen=True)
class Assembly:
    """One training. `published`: its validation loss on Tiny Shakespeare, reproduced, in nats per character."""

    name: str
    steps: int
    learning_rate: float
    published: float
    seed: int = 1337


ASSEMBLIES = [
    Assembly("bigram", 3000, 1e-2, 2.49),
    Assembly("one head", 5000, 1e-3, 2.41),
    Assembly("four heads", 5000, 1e-3, 2.28),
    Assembly("feed-forward", 5000, 1e-3, 2.24),
    Assembly("residual blocks", 5000, 1e-3, 2.09),
    Assembly("LayerNorm", 5000, 1e-3, 2.07),
    Assembly(NANO_GPT, 2000, 1e-3, NANO_GPT_LOSS),
]


class Result(msgspec.Struct, frozen=True):
    """What a trained rung gave. Losses in nats per character, estimated on random batches of each split."""

    key: str
    val_loss: float
    train_loss: float
    parameters: int
    seconds: float
    sample: str


class AssemblyFailed(Exception):
    """The code in the folder could not train this rung; the message is the last thing that it said."""


def climb(
    code: Path, corpus: Corpus, out: Path, *, assemblies: list[Assembly] = ASSEMBLIES, console: Console | None = None
) -> str:
    """Trains every rung that is not done yet and returns the page as text; writes climb.json, .txt, .png and .svg to
    out.

    A rung whose code is missing or broken is named in the page, and the others go on. Raises UnusableInput if the
    folder or the place for results cannot be used.
    """
    console = console or Console(stderr=True)
    if not code.is_dir():
        raise UnusableInput(f"There is no workspace at {code} yet. To begin: make milestone-1")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableInput(f"The folder {out} for the results can't be made: {error.strerror}.") from error
    sources = {name: data for name, data in read(code).files.items() if name.endswith(".py")}
    done = load(out / "climb.json")
    failed: dict[str, str] = {}
    text_file = out / "corpus.txt"
    write_atomically(text_file, corpus.text.encode())
    with progress_bars(console) as progress:
        for assembly in assemblies:
            key = key_of(assembly, digest(sources), corpus)
            bar = progress.add_task(assembly.name, total=assembly.steps, note="")
            if assembly.name in done and done[assembly.name].key == key:
                progress.update(bar, completed=assembly.steps, note=f"val {done[assembly.name].val_loss:.4f} (kept)")
                continue
            done.pop(assembly.name, None)
            try:
                done[assembly.name] = train(assembly, key, code, text_file, corpus, out, shower(progress, bar))
            except AssemblyFailed as error:
                failed[assembly.name] = str(error)
                progress.update(bar, note="failed")
                continue
            progress.update(bar, completed=assembly.steps, note=f"val {done[assembly.name].val_loss:.4f}")
            save(out / "climb.json", done)
    text_file.unlink()
    text = page(assemblies, done, failed, corpus)
    write_atomically(out / "climb.txt", f"{text}\n".encode())
    shown = {assembly.name: done[assembly.name] for assembly in assemblies if assembly.name in done}
    if shown:
        plot(shown, assemblies, corpus, out)
    return text


# One rung


def key_of(assembly: Assembly, code: str, corpus: Corpus) -> str:
    """What the result depends on, as a hash."""
    parts = [code, corpus.sha256, CHILD.read_text(), json.dumps([asdict(assembly), EVAL_TOKENS, SAMPLE_TOKENS])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def train(
    assembly: Assembly, key: str, code: Path, text_file: Path, corpus: Corpus, out: Path, show: Callable[[dict], None]
) -> Result:
    """Trains one rung in a process of its own. Raises AssemblyFailed with what the code said last."""
    job = {
        "rung": assembly.name,
        "steps": assembly.steps,
        "learning_rate": assembly.learning_rate,
        "seed": assembly.seed,
        "code": str(code.resolve()),
        "corpus": str(text_file.resolve()),
        "has_newline": "\n" in corpus.text,
        "eval_tokens": EVAL_TOKENS,
        "sample_tokens": SAMPLE_TOKENS,
        "out_dir": str((out / "runs" / assembly.name.replace(" ", "-")).resolve()),
    }
    log_path = out / f"{assembly.name.replace(' ', '-')}.log"
    last: dict = {}
    with log_path.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        with child:
            try:
                for message in conversation(child, job):
                    last = message
                    show(message)
            except BaseException:
                child.kill()
                raise
    if child.returncode != 0 or "val_loss" not in last:
        raise AssemblyFailed(last_words(log_path, child.returncode))
    log_path.unlink()
    return Result(key=key, **last)


def conversation(child: subprocess.Popen, job: dict) -> Iterator[dict]:
    """Hands over the job, then yields the messages."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(job))
        child.stdin.close()
    except BrokenPipeError:  # it ended before it read the job; its exit status and its log say why
        return
    for line in child.stdout:
        yield json.loads(line)


def last_words(log: Path, status: int) -> str:
    """The last line of a log that says something, and where the whole of it is."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1] if lines else f'the process ended with status {status}'} (more in {log})"


# What is kept


def load(path: Path) -> dict[str, Result]:
    """The results so far; none if there is no file."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Result])
    except msgspec.DecodeError as error:
        raise UnusableInput(f"{path} is not a climb's file ({error}). Move it away, and start again.") from error


def save(path: Path, done: dict[str, Result]) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(done)))


# What is shown


def progress_bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:15}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def shower(progress: Progress, bar) -> Callable[[dict], None]:
    """What to do with a message of the child: move its bar."""

    def show(message: dict) -> None:
        if "step" in message:
            progress.update(bar, completed=message["step"], note=f"loss {message['loss']:.3f}")

    return show


def page(assemblies: list[Assembly], done: dict[str, Result], failed: dict[str, str], corpus: Corpus) -> str:
    """The table, with the published values if the corpus is theirs, and what is to be said about the last assembly."""
    famous = is_shakespeare(corpus)
    own = corpus.sha256 == embedded.SHA256
    headers = ["rung", "val loss", *(["published"] if famous else []), "parameters", "seconds"]
    headers += [*(["valid lines"] if own else []), "sample"]
    rows = []
    for assembly in assemblies:
        result = done.get(assembly.name)
        if result is None:
            rows.append(
                [assembly.name, "-", *(["-"] if famous else []), "-", "-", *(["-"] if own else []), "not trained"]
            )
            continue
        row = [assembly.name, f"{result.val_loss:.4f}"]
        row += [f"{assembly.published:g}"] if famous else []
        row += [f"{result.parameters:,}", f"{result.seconds:.0f}"]
        row += [str(parser.score(result.sample).lines)] if own else []
        rows.append([*row, sample_line(result.sample)])
    aligned = ["left", *["right"] * (len(headers) - 2), "left"]
    notes = [f"Losses in nats per character on the last tenth of {corpus.name}."]
    if own:
        notes.append(
            f"The corpus has an entropy of {entropy.exact():.4f}: no model can do better, however it is built."
        )
    notes += [f"{name}: {words}" for name, words in failed.items()]
    if famous and NANO_GPT in done:
        notes.append(judgement(done[NANO_GPT].val_loss))
    table = tabulate(rows, headers=headers, colalign=aligned, disable_numparse=True)
    return "\n".join([table, "", *notes])


def judgement(val_loss: float) -> str:
    """Does the GPT match nanoGPT?"""
    seen = f"this GPT {val_loss:.4f}, nanoGPT {NANO_GPT_LOSS} with the same sizes, batches, steps and learning rates"
    if abs(val_loss - NANO_GPT_LOSS) <= TOLERANCE:
        return f"It matches nanoGPT: {seen} (within {TOLERANCE})."
    if val_loss < NANO_GPT_LOSS:
        return f"It is better than nanoGPT: {seen}. Before you celebrate, look for a leak: make grade M=4."
    advice = f"more than {TOLERANCE} are not chance. Compare schedule, decay and clipping."
    return f"It does not match nanoGPT: {seen}; {advice}"


def is_shakespeare(corpus: Corpus) -> bool:
    return corpus.sha256 == registry.corpora()["tinyshakespeare"].sha256


def sample_line(sample: str) -> str:
    """The first whole line that is long enough to say something, on one row of a table."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in sample.split("\n")]
    line = next((line for line in lines if len(line) >= 20), " ".join(lines))
    return line[:48]


def plot(shown: dict[str, Result], assemblies: list[Assembly], corpus: Corpus, out: Path) -> None:
    """Validation losses, assembly by assembly, as climb.png and climb.svg."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    names = list(shown)
    axes.plot(names, [result.val_loss for result in shown.values()], "o-", label="val loss")
    axes.plot(names, [result.train_loss for result in shown.values()], "o:", alpha=0.5, label="train loss")
    if is_shakespeare(corpus):
        published = {assembly.name: assembly.published for assembly in assemblies}
        axes.plot(names, [published[name] for name in names], "_", markersize=24, color="black", label="published")
    if corpus.sha256 == embedded.SHA256:
        axes.axhline(entropy.exact(), color="black", linestyle="--", label="entropy of the corpus")
    for name, result in shown.items():
        axes.annotate(
            f"{result.val_loss:.2f}", (name, result.val_loss), xytext=(0, 8), textcoords="offset points", ha="center"
        )
    axes.set_ylabel("nats per character")
    axes.set_title(f"The ladder on {corpus.name}")
    axes.margins(y=0.15)
    axes.legend()
    figure.autofmt_xdate(rotation=20)
    for suffix in ("png", "svg"):
        figure.savefig(out / f"climb.{suffix}", dpi=150, bbox_inches="tight")
    pyplot.close(figure)
