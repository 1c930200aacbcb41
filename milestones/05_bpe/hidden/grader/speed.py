"""Judges the time that a long piece and many merges take."""

import itertools
import time

from . import replay
from .other_ways import way_of
from .tokenizers import expect_choices, expect_merges, gives, ids_of, merges_of, trained

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Training that counts everything anew for each of 200 merges takes as long as counting all pairs 220 times; keeping the
# counts up to date takes as long as 10 to 30 times, depending on the style. A busy machine makes it up to 3 times that.
MANY_MERGES, MOST_COUNTS, YARDSTICK_ROUNDS, ATTEMPTS = 200, 110, 10, 3


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
    texts = drawn_texts(draw)
    yardstick = seconds_of_a_count(student, texts[0])
    fresh = student.twin()
    trained(fresh, "ab" * 20, 257)  # so that no import is in the time
    rounds = float("inf")
    for text in texts:  # the machine may have been busy for a moment
        text_there = fresh.put(text)
        start = time.perf_counter()
        tokenizer = trained(fresh, text_there, 256 + MANY_MERGES)
        # One that learns only when it is asked does its work here, so these are the merges that are judged.
        learned = fresh.value(tokenizer.merges)
        rounds = min(rounds, (time.perf_counter() - start) / yardstick)
        if not MOST_COUNTS < rounds <= 3 * MOST_COUNTS:
            break
    merges = expect_merges(expect, learned, at_most=MANY_MERGES)
    expect_choices(expect, "words without runs", text, merges, 256 + MANY_MERGES)
    expect.true(
        "training takes little time",
        rounds <= MOST_COUNTS,
        rule=f"{MANY_MERGES} merges must take at most as long as counting all pairs of the text {MOST_COUNTS} times: a"
        " merge changes few words, and the counts of all others stay.",
        saw=f"{MANY_MERGES} merges took as long as counting all pairs of the text {rounds:.0f} times.",
    )


def drawn_texts(draw):
    """A text without runs (how those are joined is another matter) for each attempt, all as hard as each other.

    They differ in which letter is which, so that nobody gains by remembering what was learned from the one before.
    """
    drawn = " ".join(draw.text(LETTERS, draw.integer(6, 12)) for _ in range(8000))
    text = "".join(letter for letter, _ in itertools.groupby(drawn))
    orders = [draw.permutation(len(LETTERS)).tolist() for _ in range(ATTEMPTS)]
    return [text.translate(str.maketrans(LETTERS, "".join(LETTERS[i] for i in order))) for order in orders]


def seconds_of_a_count(student, text):
    """How long it takes here to count all pairs of the text once, in time of the processor: others don't inflate it.

    Nothing of the submission is running meanwhile: what an earlier item left behind would slow the yardstick down. So
    its process ends here, and what is timed afterwards must be asked of the twin, which has not begun yet.
    """
    words = replay.words_of(replay.pieces(text))
    student.close()
    start = time.process_time()
    for _ in range(YARDSTICK_ROUNDS):
        replay.counts(words)
    return (time.process_time() - start) / YARDSTICK_ROUNDS
