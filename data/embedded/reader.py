"""Reads a text back into the choices that wrote it, and so finds its exact probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data.embedded.grammar import Table, scene


class NotThisGrammar(ValueError):
    """The grammar can't have written this text.

    position: in fixed text the first wrong character; at a choice the beginning of what should be one of the strings
    """

    def __init__(self, text: str, position: int, expected: str):
        self.position = position
        line = text.count("\n", 0, position) + 1
        found = repr(text[position : position + 20]) if position < len(text) else "the end of the text"
        super().__init__(f"line {line} (character {position}): {found}, where the grammar writes {expected}")


class Reader:
    """Follows the grammar along a text and adds up the surprisal of each choice."""

    def __init__(self, text: str):
        self.text = text
        self.position = 0
        self.surprisals: list[float] = []

    def write(self, text: str) -> None:
        if not self.text.startswith(text, self.position):
            there = self.text[self.position : self.position + len(text)]
            same = next(i for i in range(len(text)) if there[: i + 1] != text[: i + 1])
            raise NotThisGrammar(self.text, self.position + same, repr(text[same:]))
        self.position += len(text)

    def choose(self, table: Table) -> str:
        for length in table.lengths:
            string = self.text[self.position : self.position + length]
            if string in table.surprisal:
                self.position += length
                self.surprisals.append(table.surprisal[string])
                return string
        examples = ", ".join(map(repr, table.strings[:3]))
        raise NotThisGrammar(self.text, self.position, f"one of {len(table.strings)} strings like {examples}")


@dataclass(frozen=True)
class Realised:
    """-log p(text) of a text, and how long the text is."""

    nats: float
    characters: int
    scenes: int

    @property
    def nats_per_character(self) -> float:
        return self.nats / self.characters


def realised(text: str) -> Realised:
    """The exact -log p of a text of whole scenes under the grammar, given how many scenes it has.

    This is the floor of a loss: a model that was not told the text is below it by k nats in all with a probability of
    e**-k at most (docs/corpus.md). Raises NotThisGrammar if the text is empty, or not made of whole scenes.
    """
    reader = Reader(text)
    scenes = 0
    while reader.position < len(text) or not scenes:
        scene(reader)
        scenes += 1
    return Realised(math.fsum(reader.surprisals), len(text), scenes)


def whole_scenes(text: str) -> str:
    """A slice of the corpus without what is cut off: from its first scene heading to the end of its last scene.

    Raises NotThisGrammar if there is no whole scene.
    """
    start = 0 if text.startswith("Scene: ") else text.find("\nScene: ") + 1
    heading = text.rfind("\n[Exeunt")
    end = text.find("]\n\n", heading)
    if not text.startswith("Scene: ", start) or heading < start or end < 0:
        raise NotThisGrammar(text, len(text), "one whole scene at least, from 'Scene: ' to '[Exeunt …]'")
    return text[start : end + 3]
