"""The embedded corpus: verse for the stage, written by a seeded grammar, the same on every machine.

Nothing is downloaded and nothing is committed: `text()` writes the corpus in about a second. Only the standard library
is imported here, so any Python from 3.11 on can check the checksum.

    lexicon.py    the words
    grammar.py    the plays: which choices are made, in which order, with which probabilities
    generator.py  makes the choices with its own random numbers
    reader.py     reads them back from a text and adds up their probabilities
    entropy.py    the exact entropy of the grammar, in nats per character
    parser.py     scores a sample that a model wrote
"""

from __future__ import annotations

import functools
import hashlib

from data.embedded.generator import generate

# Chosen among seeds so that the border at 90 % of the characters falls between two scenes: neither split then begins
# or ends in the middle of a play, and the probability of each is exact.
SEED = 40
SCENES = 886
CHARACTERS = 999_581
SHA256 = "0bf57bc2735f786274b98ac53b2a367957295cbf88d1631149770783f55d1c64"


@functools.cache
def text() -> str:
    """The corpus: ASCII, `CHARACTERS` long. RuntimeError if this Python writes another text than the pinned one."""
    corpus = generate(SEED, SCENES)
    digest = hashlib.sha256(corpus.encode("ascii")).hexdigest()
    if digest != SHA256:
        raise RuntimeError(
            f"The embedded corpus came out with sha256 {digest} instead of {SHA256}. The grammar or its words were "
            "changed: if on purpose, pin the new seed and checksum in data/embedded/__init__.py."
        )
    return corpus


def splits() -> tuple[str, str]:
    """(train, val): the first 90 % and the last 10 %, cut where a scene ends."""
    corpus = text()
    border = len(corpus) - int(len(corpus) * 0.1)
    return corpus[:border], corpus[border:]
