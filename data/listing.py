"""What `ladder data list` and `ladder data show` print."""

from tabulate import tabulate

from data import corpus, embedded, registry
from data.corpus import Corpus
from data.embedded import entropy
from data.embedded.reader import realised
from data.statistics import counted_losses

HEADERS = ("corpus", "bytes", "licence", "V", "uniform", "unigram", "bigram", "trigram", "sha256")


def table() -> str:
    """The registered corpora. Downloads nothing: what isn't on this machine yet is listed without counts."""
    rows = []
    missing = []
    for name, entry in registry.corpora().items():
        here = corpus.available(name)
        if here is None:
            missing.append(name)
            counts = ["-"] * 5
        else:
            counts = _counts(here)
        rows.append([name, f"{entry.bytes:,}", entry.licence, *counts, entry.sha256[:16]])
    notes = [
        "Losses in nats per character on the last tenth (val), counted on the rest with one added to each count.",
        f"The entropy of `embedded` is {entropy.exact():.4f}: no model can do better, however it is built.",
        *(f"`{name}` is not on this machine yet: ladder data show {name} downloads it." for name in missing),
        "Any other text: give its path or its address (https://…) instead of a name.",
    ]
    aligned = ("left", "right", "left", *["right"] * 5, "left")
    return tabulate(rows, headers=HEADERS, colalign=aligned, disable_numparse=True) + "\n\n" + "\n".join(notes)


def show(name: str) -> str:
    """Everything about one corpus (name, path or address), which is downloaded if need be. Raises DataError."""
    found = corpus.load(name)
    train, val = found.splits()
    counts = dict(zip(HEADERS[3:8], _counts(found), strict=True))
    rows = [
        ("licence", found.licence),
        ("from", found.source),
        ("sha256", found.sha256),
        ("characters", f"{len(found.text):,} ({len(train):,} train, {len(val):,} val)"),
        ("vocabulary", f"{counts.pop('V')} characters: {_alphabet(found.text)}"),
        *((f"{model} loss", f"{loss} nats per character on val") for model, loss in counts.items()),
    ]
    if found.sha256 == embedded.SHA256:
        rows += [
            ("entropy", f"{entropy.exact():.4f} nats per character, exact"),
            ("floor, train", f"{realised(train).nats_per_character:.4f} nats per character, -log p(text) / length"),
            ("floor, val", f"{realised(val).nats_per_character:.4f} nats per character: a loss below it has seen val"),
        ]
    beginning = "\n".join(f"  | {line}" for line in found.text[:600].splitlines()[:14])
    return f"{name}\n\n{tabulate(rows, tablefmt='plain', disable_numparse=True)}\n\n{beginning}"


def _counts(found: Corpus) -> list[str]:
    losses = counted_losses(*found.splits())
    figures = (losses.uniform, losses.unigram, losses.bigram, losses.trigram)
    return [str(losses.vocab_size), *(f"{figure:.4f}" for figure in figures)]


def _alphabet(text: str) -> str:
    characters = sorted(set(text))
    shown = repr("".join(characters[:120]))
    return shown if len(characters) <= 120 else f"{shown} and {len(characters) - 120} more"
