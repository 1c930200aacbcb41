"""The plays, as a sequence of choices.

`scene(source)` is the whole grammar. It either writes fixed text or asks the source to choose one string of a table;
each choice puts its string into the text. The writing source draws at random, the reading source finds out which string
stands there. Two facts make the probability of a text exact:

- No string of a table is the beginning of another one (a prefix code). So at each choice at most one string fits, and a
  text has one derivation at most: the grammar is unambiguous.
- Weights are integers. So p(text) is a product of fractions, and -log p(text) a sum of logarithms of fractions.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from data.embedded import lexicon


class Table:
    """Strings to choose from, with integer weights. No string is the beginning of another one."""

    def __init__(self, strings: Iterable[str], weights: Iterable[int] | None = None):
        self.strings = tuple(strings)
        self.weights = tuple(weights) if weights is not None else (1,) * len(self.strings)
        self.cumulative = tuple(itertools.accumulate(self.weights))
        self.total = self.cumulative[-1]
        self.surprisal = {
            string: math.log(self.total / weight) for string, weight in zip(self.strings, self.weights, strict=True)
        }
        self.lengths = sorted({len(string) for string in self.strings})

    def at(self, ticket: int) -> str:
        """The string that the ticket 0 <= ticket < total falls on."""
        return self.strings[bisect.bisect_right(self.cumulative, ticket)]

    def mean(self, value: Callable[[str], float]) -> float:
        """The expectation of value(string)."""
        return math.fsum(w * value(s) for s, w in zip(self.strings, self.weights, strict=True)) / self.total

    def entropy(self) -> float:
        """The expected surprisal of one choice, in nats."""
        return self.mean(self.surprisal.__getitem__)


def mix(*parts: tuple[int, Table | str]) -> Table:
    """A table of tables: a part is taken with probability weight / sum of weights, then a string within the part."""
    tables = [(weight, Table([part]) if isinstance(part, str) else part) for weight, part in parts]
    scale = math.lcm(*(table.total for _, table in tables))
    return Table(
        (string for _, table in tables for string in table.strings),
        (weight * w * (scale // table.total) for weight, table in tables for w in table.weights),
    )


class Source(Protocol):
    """What carries out the grammar: a writer that draws, or a reader that recognises."""

    def write(self, text: str) -> None: ...

    def choose(self, table: Table) -> str: ...


# --- lines ------------------------------------------------------------------------------------------------------------

RHYME_OF = {word: row for row in lexicon.RHYMES for word in row}
ENDS = Table(RHYME_OF)
RHYMES_WITH = {word: Table(other for other in row if other != word) for word, row in RHYME_OF.items()}

SLOTS = {
    "adjective": Table(lexicon.ADJECTIVES),
    "noun": Table(lexicon.SHORT_NOUNS),
    "long_noun": Table(lexicon.LONG_NOUNS),
    "verb": Table(lexicon.VERBS),
    "verbs": Table(verb + "s" for verb in lexicon.VERBS),
    "long_verb": Table(lexicon.LONG_VERBS),
    "preposition": Table(lexicon.PREPOSITIONS),
}


class Shape:
    """The shape of a line: the table it opens with, then pairs (text, slot) up to the rhyme, the slot `end`.

    Several shapes begin with "The". Therefore an opening reaches to the end of the first word that is drawn: "The
    silver" belongs to one shape only. Where that word is a name on stage, the opening is the text before it.
    """

    def __init__(self, pattern: str):
        self.question = pattern.endswith("?")
        pieces = re.split(r"{(\w+)}", pattern)
        pairs = list(zip(pieces[0::2], pieces[1::2], strict=False))
        lead, slot = pairs[0]
        if slot == "other":
            self.openings = Table([lead])
            self.rest = [("", slot), *pairs[1:]]
        else:
            self.openings = Table(lead + word for word in SLOTS[slot].strings)
            self.rest = pairs[1:]


SHAPES = tuple((weight, Shape(pattern)) for weight, pattern in lexicon.LINES)
SHAPE_OF = {opening: shape for _, shape in SHAPES for opening in shape.openings.strings}
OPENINGS = mix(*((weight, shape.openings) for weight, shape in SHAPES))

# What may stand where a couplet may begin: a line, a bracket that the couplet closes, a quotation of the last line, or
# the blank line that ends the speech.
FIRST_COUPLET = mix((12, OPENINGS), (1, "("))
REPLY = mix((8, OPENINGS), (1, "("), (5, '"'))
NEXT_COUPLET = mix((5, OPENINGS), (1, "("), (9, "\n"))
COMMA = Table([",", ";"], [3, 1])
STOP = Table([".", "!"], [4, 1])


class Said:
    """A finished line: its text without punctuation, its last word, and whether it asks."""

    def __init__(self, text: str, end: str, question: bool):
        self.text = text
        self.end = end
        self.question = question


def finish_line(source: Source, opening: str, others: Table, ends: Table) -> Said:
    """The line after its opening, up to the rhyme."""
    shape = SHAPE_OF[opening]
    words = [opening]
    for text, slot in shape.rest:
        source.write(text)
        words.append(text)
        if slot == "same_verb":
            word = words[0].rpartition(" ")[2].removesuffix("s")
            source.write(word)
        else:
            word = source.choose(ends if slot == "end" else others if slot == "other" else SLOTS[slot])
        words.append(word)
    return Said("".join(words), words[-1], shape.question)


def couplet(source: Source, opening: str, others: Table, last: Said | None) -> Said:
    """Two rhymed lines, given what the couplet begins with. `last` is the line before, which '"' quotes."""
    closing = ""
    if opening == '"':
        assert last is not None
        source.write(last.text + '"?')
        first = last
    else:
        if opening == "(":
            closing = ")"
            opening = source.choose(OPENINGS)
        first = finish_line(source, opening, others, ENDS)
        punctuate(source, first, COMMA)
    source.write("\n")
    second = finish_line(source, source.choose(OPENINGS), others, RHYMES_WITH[first.end])
    punctuate(source, second, STOP)
    source.write(closing + "\n")
    return second


def punctuate(source: Source, line: Said, marks: Table) -> None:
    if line.question:
        source.write("?")
    else:
        source.choose(marks)


# --- scenes -----------------------------------------------------------------------------------------------------------

PLACES = Table(lexicon.PLACES)
TIMES = Table(lexicon.TIMES)
DIRECTIONS = Table(f"[{direction}.]" for direction in lexicon.DIRECTIONS)
EXEUNT = "[Exeunt"
# After the first name a second one must follow: ", " leaves room for a third.
AND_OR_COMMA = {1: Table([" and ", ", "], [2, 3]), 2: Table([" and ", ", "], [2, 1]), 3: Table([" and "])}
MANNERS = mix((6, ":"), (2, " [to "), (2, Table(f" [{manner}]:" for manner in lexicon.MANNERS)))


@functools.cache
def names(people: tuple[str, ...]) -> Table:
    """One of these people."""
    return Table(people)


@functools.cache
def after_speech(people: tuple[str, ...]) -> Table:
    """What follows a speech: somebody else speaks, or something happens on the stage, or the scene ends."""
    return mix((7, names(people)), (1, DIRECTIONS), (1, EXEUNT))


def without(people: Sequence[str], *gone: str) -> tuple[str, ...]:
    return tuple(name for name in people if name not in gone)


def listed(cast: Sequence[str]) -> str:
    """Two or more names in a sentence: A and B; A, B and C."""
    return ", ".join(cast[:-1]) + " and " + cast[-1]


def scene(source: Source) -> None:
    """One scene, from its heading to the blank line after its end."""
    source.write("Scene: ")
    source.choose(PLACES)
    source.write(", ")
    source.choose(TIMES)
    source.write(".\n[Enter ")
    cast = [source.choose(names(tuple(lexicon.NAMES)))]
    while source.choose(AND_OR_COMMA[len(cast)]) == ", ":
        cast.append(source.choose(names(without(lexicon.NAMES, *cast))))
    cast.append(source.choose(names(without(lexicon.NAMES, *cast))))
    source.write(".]\n\n")

    speaker = source.choose(names(tuple(cast)))
    last = None
    while True:
        others = names(without(cast, speaker))
        if source.choose(MANNERS) == " [to ":
            source.choose(others)
            source.write("]:")
        source.write("\n")
        opening = source.choose(FIRST_COUPLET if last is None else REPLY)
        while opening != "\n":
            last = couplet(source, opening, others, last)
            opening = source.choose(NEXT_COUPLET)

        following = source.choose(after_speech(without(cast, speaker)))
        if following == EXEUNT:
            source.write(f" {listed(cast)}.]\n\n")
            return
        if following in DIRECTIONS.surprisal:
            source.write("\n\n")
            following = source.choose(names(without(cast, speaker)))
        speaker = following
