"""Judges the time that a long piece and many merges take."""

import itertools
import time

from . import replay
from .other_ways import way_of
from .tokenizers import expect_choices, gives, ids_of, merges_of, trained

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Training that counts everything anew for each of 200 merges takes as long as counting all pairs 220 times; keeping the
# counts up to date takes as long as 10 to 30 times, depending on the style.
MANY_MERGES, MOST_COUNTS, YARDSTICK_ROUNDS, ATTEMPTS = 200, 75, 10, 2


def test_long_run(student, draw, expect):
    """A run of 100,000 equal letters is encoded within the limit."""
    letter = draw.choice("aeinr")
    tokenizer = trained(student, letter * 64 + " " + "ab" * 20, 262)
    merges = merges_of(expect, student, tokenizer, at_most=6)
    text = letter * (100_001 + 2 * draw.integer(0, 50))  # odd: joined from the wrong end, another letter is left over
    given, right = ids_of(tokenizer.encode(text)), replay.encode(text, merges)
    expect.true(
        "a long run gets the ids of a replay",
        given == right,
        rule="encode must join the pair of the lowest rank first, from the left, in a long piece as in a short one.",
        saw=f"The letter {letter!r}, {len(text)} times, gives {gives(given)}; right is {gives(right)}.",
        evidence=way_of(text, given, merges),
    )


def test_incremental(student, draw, expect):
    """Many merges take far less time than counting all pairs of the text anew for each."""
    drawn = " ".join(draw.text(LETTERS, draw.integer(6, 12)) for _ in range(8000))
    text = "".join(letter for letter, _ in itertools.groupby(drawn))  # no runs: how those are joined is another matter
    words = replay.words_of(replay.pieces(text))
    text_there = student.put(text)
    rounds = float("inf")
    for _ in range(ATTEMPTS):  # the machine may have been busy for a moment
        start = time.perf_counter()
        for _ in range(YARDSTICK_ROUNDS):
            replay.counts(words)
        middle = time.perf_counter()
        tokenizer = trained(student, text_there, 256 + MANY_MERGES)
        student.value(tokenizer.merges)  # one that learns only when it is asked does its work here
        end = time.perf_counter()
        rounds = min(rounds, (end - middle) / (middle - start) * YARDSTICK_ROUNDS)
        if rounds <= MOST_COUNTS:
            break
    merges = merges_of(expect, student, tokenizer, at_most=MANY_MERGES)
    expect_choices(expect, "words without runs", text, merges, 256 + MANY_MERGES)
    expect.true(
        "training takes little time",
        rounds <= MOST_COUNTS,
        rule=f"{MANY_MERGES} merges must take at most as long as counting all pairs of the text {MOST_COUNTS} times: a"
        " merge changes few words, and the counts of all others stay.",
        saw=f"{MANY_MERGES} merges took as long as counting all pairs of the text {rounds:.0f} times.",
    )
