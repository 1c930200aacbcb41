"""Judges byte-pair encoding by replay: the student's own merges are carried out here, and each choice is checked.

Published trainers break ties differently and count "aaa" differently (two overlapping pairs, or the one that can be
joined); both are fine. What may not be: a pair that is rarer than another one, or a join across the border of a piece.
"""

import itertools
from collections import Counter

import regex

# GPT-2's pre-split (Radford et al. 2019), as in the stub.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

Pair = tuple[bytes, bytes]


def pieces(text: str) -> Counter:
    """How often each piece occurs, as a tuple of single bytes."""
    counted = Counter(regex.findall(PATTERN, text))
    return Counter({tuple(bytes([byte]) for byte in piece.encode()): n for piece, n in counted.items()})


def join(word: tuple[bytes, ...], pair: Pair) -> tuple[bytes, ...]:
    """The word with each occurrence of the pair joined, from the left."""
    out: list[bytes] = []
    i = 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def counts(words: Counter, *, overlapping: bool) -> Counter:
    """How often each pair of neighbours occurs; without overlapping, "aaa" holds the pair "aa" once."""
    total: Counter = Counter()
    for word, times in words.items():
        last = None
        for pair in itertools.pairwise(word):
            if not overlapping and pair == last and pair[0] == pair[1]:
                last = None  # its first token is joined already
                continue
            last = pair
            total[pair] += times
    return total


class WrongMerge(Exception):
    """The merge that no trainer could have chosen: which one, and why, in words and as plain data."""

    def __init__(self, number: int, reason: str, evidence: list):
        super().__init__(reason)
        self.number = number
        self.evidence = evidence


def replay(text: str, merges: list[Pair]) -> bool:
    """Carries out the merges on the text. Returns whether a pair is left afterwards. Raises WrongMerge."""
    words = pieces(text)
    for number, pair in enumerate(merges):
        options = [counts(words, overlapping=overlapping) for overlapping in (True, False)]
        if not any(option[pair] == max(option.values(), default=0) > 0 for option in options):
            option = options[0]
            best, most = max(option.items(), key=lambda entry: entry[1], default=((b"", b""), 0))
            reason = (
                f"Merge {number} joins {pair[0]!r} and {pair[1]!r}, which stand side by side {option[pair]} times;"
                f" {best[0]!r} and {best[1]!r} do {most} times."
            )
            raise WrongMerge(number, reason, [number, option[pair], most, repr(pair)])
        merged: Counter = Counter()
        for word, times in words.items():
            merged[join(word, pair)] += times
        words = merged
    return any(len(word) > 1 for word in words)


def encode(text: str, merges: list[Pair]) -> list[int]:
    """The ids of the text: in each piece the pair of the lowest rank is joined, until none is left."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    out: list[int] = []
    for piece in regex.findall(PATTERN, text):
        word = [(bytes([byte]), byte) for byte in piece.encode()]
        while len(word) > 1:
            rank, i = min((ranks.get((word[i][0], word[i + 1][0]), len(merges)), i) for i in range(len(word) - 1))
            if rank == len(merges):
                break
            left, right = word[i][0], word[i + 1][0]
            word[i : i + 2] = [(left + right, 256 + rank)]
        out += [number for _, number in word]
    return out
