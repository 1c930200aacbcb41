"""Scores a sample: how much of what a model wrote could stand in a play?

The reader stops at the first impossible character. A sample deserves better: here each line is judged by itself, and
what binds lines together is counted separately. Every count is (good, all); what doesn't occur is not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.embedded import grammar, lexicon


@dataclass(frozen=True)
class Share:
    """`good` out of `total`."""

    good: int
    total: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None if there was nothing to judge."""
        return self.good / self.total if self.total else None

    def __str__(self) -> str:
        return "none seen" if self.share is None else f"{self.share:.1%} ({self.good} of {self.total})"


@dataclass(frozen=True)
class Score:
    """What a sample achieves.

    lines:    of the lines that are not blank, those that the grammar can write, whatever stands around them
    speakers: of the names that begin a speech or leave at a scene's end, those that fit the people on stage; judged
              after the sample's first "[Enter …]"
    rhyme:    of the couplets (two lines of a speech), those whose last words are different and rhyme
    brackets: of all brackets, opening or closing, those that have their partner where it belongs: square ones in
              the same line, round ones around a couplet
    echoes:   of the lines that quote, those that repeat the line before word for word
    """

    lines: Share
    speakers: Share
    rhyme: Share
    brackets: Share
    echoes: Share


def either(strings) -> str:
    return "(?:" + "|".join(map(re.escape, strings)) + ")"


def shape_pattern(pattern: str) -> str:
    """The regular expression of a line's shape without punctuation."""
    slots = {slot: either(table.strings) for slot, table in grammar.SLOTS.items()}
    slots |= {"other": either(lexicon.NAMES), "end": either(grammar.RHYME_OF)}
    regex = ""
    for text, slot in re.findall(r"([^{]*)(?:{(\w+)})?", pattern.removesuffix("?")):
        regex += re.escape(text)
        if slot == "same_verb":
            regex += "(?P=verb)"
        elif slot.startswith("verb"):
            regex += f"(?P<verb>{slots['verb']})" + ("s" if slot == "verbs" else "")
        elif slot:
            regex += slots[slot]
    return regex


NAME = either(lexicon.NAMES)
LIST = f"{NAME}(?:, {NAME})* and {NAME}"
SHAPES = [re.compile(shape_pattern(pattern)) for _, pattern in lexicon.LINES]
ASKS = {shape: pattern.endswith("?") for shape, (_, pattern) in zip(SHAPES, lexicon.LINES, strict=True)}
SCENE = re.compile(rf"Scene: {either(lexicon.PLACES)}, {either(lexicon.TIMES)}\.")
ENTER = re.compile(rf"\[Enter (?P<cast>{LIST})\.\]")
EXEUNT = re.compile(rf"\[Exeunt (?P<cast>{LIST})\.\]")
DIRECTION = re.compile(either(grammar.DIRECTIONS.strings))
SPEAKER = re.compile(r"(?P<name>[A-Z][a-z]*)(?P<manner> [^:]*)?:")
MANNER = re.compile(rf" \[(?:to {NAME}|{either(lexicon.MANNERS)})\]")
WORD = re.compile(r"[A-Za-z']+")


def is_verse(line: str) -> bool:
    """Could the grammar write this line within a speech?"""
    if line.startswith('"') and line.endswith('"?'):
        return any(shape.fullmatch(line[1:-2]) for shape in SHAPES)
    line = line.removeprefix("(") if not line.endswith(")") else line[:-1]
    body, mark = line[:-1], line[-1:]
    return any(mark in ("?" if ASKS[shape] else ",;.!") and shape.fullmatch(body) for shape in SHAPES)


def is_speaker(line: str) -> bool:
    found = SPEAKER.fullmatch(line)
    return (
        found is not None
        and found["name"] in lexicon.NAMES
        and (found["manner"] is None or MANNER.fullmatch(found["manner"]) is not None)
    )


def is_valid(line: str) -> bool:
    """Could the grammar write this line somewhere?"""
    return (
        is_speaker(line)
        or any(pattern.fullmatch(line) for pattern in (SCENE, ENTER, EXEUNT, DIRECTION))
        or is_verse(line)
    )


def body(line: str) -> str:
    """A line of verse without its brackets and marks."""
    return line.strip('()".,;!?')


def rhymes(first: str, second: str) -> bool:
    ends = [(WORD.findall(line) or [""])[-1] for line in (first, second)]
    return ends[0] != ends[1] and ends[1] in grammar.RHYME_OF.get(ends[0], ())


def score(sample: str) -> Score:
    """Judges a sample. Ask the model to go on from a line break or from "Scene: ". A last line that is cut off is left
    out. A text that the generator wrote has 100 % everywhere; the same characters shuffled, next to nothing.
    """
    lines = sample.split("\n")[:-1]
    speeches = _speeches(lines)
    return Score(
        lines=_count(is_valid(line) for line in lines if line.strip()),
        speakers=_speakers(lines),
        rhyme=_count(rhymes(*pair) for speech in speeches for pair in zip(speech[0::2], speech[1::2], strict=False)),
        brackets=_brackets(lines, speeches),
        echoes=_echoes(speeches),
    )


def _count(verdicts) -> Share:
    verdicts = list(verdicts)
    return Share(sum(verdicts), len(verdicts))


def _speeches(lines: list[str]) -> list[list[str]]:
    """The lines of verse, speech by speech: what stands between a blank line or a speaker and the next blank line."""
    speeches: list[list[str]] = [[]]
    for line in lines:
        if not line.strip() or SPEAKER.fullmatch(line):
            speeches.append([])
        elif not line.startswith(("[", "Scene: ")):
            speeches[-1].append(line)
    return [speech for speech in speeches if speech]


def _speakers(lines: list[str]) -> Share:
    verdicts = []
    cast: list[str] | None = None
    before = None
    for line in lines:
        if line.startswith("[Enter "):
            found = ENTER.fullmatch(line)
            cast = re.findall(NAME, found["cast"]) if found else []
            before = None
        elif cast is None:
            continue
        elif found := SPEAKER.fullmatch(line):
            verdicts.append(found["name"] in cast and found["name"] != before)
            before = found["name"]
        elif line.startswith("[Exeunt"):
            found = EXEUNT.fullmatch(line)
            verdicts.append(found is not None and re.findall(NAME, found["cast"]) == cast)
    return _count(verdicts)


def _brackets(lines: list[str], speeches: list[list[str]]) -> Share:
    square = sum(line.count("[") + line.count("]") for line in lines)
    square_good = sum(2 for line in lines if line.count("[") == line.count("]") == 1 and is_valid(line))
    round_ = sum(line.count("(") + line.count(")") for line in lines)
    round_good = 0
    for speech in speeches:
        for first, second in zip(speech[0::2], speech[1::2], strict=False):
            text = first + second
            if text.count("(") == text.count(")") == 1 and first.startswith("(") and second.endswith(")"):
                round_good += 2
    return Share(square_good + round_good, square + round_)


def _echoes(speeches: list[list[str]]) -> Share:
    verdicts = []
    last = None
    for speech in speeches:
        for line in speech:
            if '"' in line:
                verdicts.append(last is not None and line == f'"{body(last)}"?')
            last = line
    return _count(verdicts)
