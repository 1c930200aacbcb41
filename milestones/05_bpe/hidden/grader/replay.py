"""Judges byte-pair encoding by replay: the student's own merges are made again here, and each choice is checked.

Published trainers break ties differently. They also count "aaa" differently, as two overlapping pairs or as the one
that can be joined. Both are right. A trainer is wrong if it joins a pair that is rarer than another one, or joins
across the border of a piece. The evidence says in which way a choice is wrong, not which bytes it met: it is the same
for all ways of breaking ties, so a mistake keeps its name under each of them.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

import regex

# GPT-2's pieces (Radford et al. 2019), as in the stub.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

Pair = tuple[bytes, bytes]
Word = tuple[bytes, ...]


def pieces(text: str) -> list[str]:
    return regex.findall(PATTERN, text)


def as_word(piece: str) -> Word:
    return tuple(bytes([byte]) for byte in piece.encode())


def words_of(texts: Iterable[str]) -> Counter:
    """How often each of the texts occurs, as a tuple of single bytes."""
    return Counter({as_word(piece): times for piece, times in Counter(texts).items()})


def join(word: Word, pair: Pair) -> Word:
    """The word with each occurrence of the pair joined, from the left."""
    if pair[0] not in word:
        return word
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


# Encoding


def encode(text: str, merges: list[Pair]) -> list[int]:
    """The ids of the text under these merges."""
    ranks = ranks_of(merges)
    return to_ids((encode_piece(piece, ranks) for piece in pieces(text)), merges)


def encode_piece(piece: str, ranks: dict[Pair, int]) -> Word:
    """Joins the pair of the lowest rank, everywhere in the piece, until no pair has a rank."""
    word = as_word(piece)
    while len(word) > 1:
        pair = min(itertools.pairwise(word), key=lambda pair: ranks.get(pair, len(ranks)))
        if pair not in ranks:
            break
        word = join(word, pair)
    return word


def ranks_of(merges: list[Pair]) -> dict[Pair, int]:
    ranks: dict[Pair, int] = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault(pair, rank)
    return ranks


def to_ids(words: Iterable[Word], merges: list[Pair]) -> list[int]:
    numbers = {bytes([byte]): byte for byte in range(256)}
    for rank, (left, right) in enumerate(merges):
        numbers.setdefault(left + right, 256 + rank)
    return [numbers[token] for word in words for token in word]


def spelled(ids: list[int], merges: list[Pair]) -> bytes | None:
    """The bytes that ids stand for; None if one of them is neither a byte nor a merge."""
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
    return b"".join(tokens[i] for i in ids) if all(0 <= i < len(tokens) for i in ids) else None


# Training


def pairs_of(word: Word, *, overlapping: bool) -> list[Pair]:
    """The pairs of neighbours. Without overlapping, "aaa" holds the pair "aa" once: a second one can't be joined."""
    out: list[Pair] = []
    taken = False  # whether the left token is already the right one of an equal pair
    for pair in itertools.pairwise(word):
        taken = not overlapping and not taken and bool(out) and out[-1] == pair and pair[0] == pair[1]
        if not taken:
            out.append(pair)
    return out


def counts(words: Counter, *, overlapping: bool = True) -> Counter:
    """How often each pair of neighbours occurs in words that occur `words[word]` times."""
    total: Counter = Counter()
    for word, times in words.items():
        for pair in pairs_of(word, overlapping=overlapping):
            total[pair] += times
    return total


class WrongMerge(Exception):
    """A merge that no right trainer could have chosen: a sentence about it, and which well-known ways lead to it."""

    def __init__(self, sentence: str, evidence: list[str]):
        super().__init__(sentence)
        self.evidence = evidence


def replay(text: str, merges: list[Pair]) -> bool:
    """Makes the merges on the text, and returns whether a pair is left afterwards. Raises WrongMerge."""
    run = Replay(text)
    for pair in merges:
        run.make(pair)
    return run.pair_left()


class Replay:
    """Makes merges on a text, one after the other, and keeps both counts of all pairs up to date."""

    def __init__(self, text: str):
        self.text = text
        counted = words_of(pieces(text))
        self.words, self.times = list(counted), list(counted.values())
        self.totals: tuple[Counter, Counter] = Counter(), Counter()  # overlapping, and what can be joined
        self.where: defaultdict = defaultdict(set)
        self.merges: list[Pair] = []
        for number in range(len(self.words)):
            self._count(number, 1)

    def _count(self, number: int, sign: int) -> None:
        word = self.words[number]
        for total, overlapping in zip(self.totals, (True, False), strict=True):
            for pair in pairs_of(word, overlapping=overlapping):
                total[pair] += sign * self.times[number]
                if sign > 0:
                    self.where[pair].add(number)

    def pair_left(self) -> bool:
        return any(len(word) > 1 for word in self.words)

    def make(self, pair: Pair) -> None:
        """Joins the pair everywhere. Raises WrongMerge if another pair is more frequent in both counts."""
        if not any(_is_highest(total, pair) for total in self.totals):
            raise self._wrong(pair)
        for number in self.where.pop(pair):
            if (joined := join(self.words[number], pair)) != self.words[number]:
                self._count(number, -1)
                self.words[number] = joined
                self._count(number, 1)
        self.merges.append(pair)

    def _wrong(self, pair: Pair) -> WrongMerge:
        total, number = self.totals[0], len(self.merges)
        most_frequent, most = max(total.items(), key=lambda entry: entry[1], default=((b"", b""), 0))
        sentence = f"Merge {number} joins {pair[0]!r} and {pair[1]!r}, which stand side by side "
        sentence += f"{total[pair]} times" if total[pair] > 0 else "in no piece of the text"
        if most > 0:
            sentence += f", while {most_frequent[0]!r} and {most_frequent[1]!r} do so {most} times."
        else:
            sentence += "; no pair is left at all."
        ways = [name for name, would_choose in WRONG_TRAINERS.items() if would_choose(self, pair)]
        return WrongMerge(sentence, [*ways, "in the first merge"] if number == 0 else ways)


# Wrong ways to choose a pair. Each says whether it would have chosen this pair now.


def _is_highest(total: Counter, pair: Pair) -> bool:
    return total[pair] == max(total.values(), default=0) > 0


def _after_merges(run: Replay, words: Counter) -> Counter:
    """The counts of pairs in other words, after the merges so far."""
    for done in run.merges:
        joined: Counter = Counter()
        for word, times in words.items():
            joined[join(word, done)] += times
        words = joined
    return counts(words)


def _not_there(run: Replay, pair: Pair) -> bool:
    return run.totals[0][pair] <= 0


def _rarest(run: Replay, pair: Pair) -> bool:
    present = [count for count in run.totals[0].values() if count > 0]
    return run.totals[0][pair] == min(present, default=0) > 0


def _words_once(run: Replay, pair: Pair) -> bool:
    return _is_highest(counts(Counter(set(run.words))), pair)


def _first_counts(run: Replay, pair: Pair) -> bool:
    first = counts(words_of(pieces(run.text)))
    for done in run.merges:
        first.pop(done, None)
    return _is_highest(first, pair)


def _crosses(run: Replay, pair: Pair) -> bool:
    """Whether the joined token is text of more than one piece, or would be the choice if pieces were not cut."""
    try:
        if len(pieces((pair[0] + pair[1]).decode())) > 1:
            return True
    except UnicodeDecodeError:
        return False  # part of a character: as such it lies within a piece
    return _is_highest(_after_merges(run, words_of([run.text])), pair)


def _split_words(run: Replay, pair: Pair) -> bool:
    return _is_highest(_after_merges(run, words_of(run.text.split())), pair)


def _lower_case(run: Replay, pair: Pair) -> bool:
    return _is_highest(_after_merges(run, words_of(pieces(run.text.lower()))), pair)


WRONG_TRAINERS = {
    "a pair that is not there": _not_there,
    "the rarest pair": _rarest,
    "each different word counted once": _words_once,
    "the counts from the beginning": _first_counts,
    "a pair across pieces": _crosses,
    "words without their spaces": _split_words,
    "lower-case text": _lower_case,
}
