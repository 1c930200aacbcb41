"""Judges byte-pair encoding by replay: the student's own merges are carried out here, and each choice is checked.

Published trainers break ties differently and count "aaa" differently (two overlapping pairs, or the one that can be
joined); both are fine. What may not be: a pair that is rarer than another one, or a join across the border of a piece.
What is kept as evidence says in which way a choice is wrong, not which bytes it met: it is the same for all ways of
breaking ties, so that a mistake keeps its name under each of them.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

import regex

# GPT-2's pre-split (Radford et al. 2019), as in the stub.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

Pair = tuple[bytes, bytes]
Word = tuple[bytes, ...]


def as_word(piece: str) -> Word:
    return tuple(bytes([byte]) for byte in piece.encode())


def words_of(texts: Iterable[str]) -> Counter:
    """How often each of the texts occurs, as a tuple of single bytes."""
    return Counter({as_word(piece): times for piece, times in Counter(texts).items()})


def pieces(text: str) -> list[str]:
    return regex.findall(PATTERN, text)


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


def pairs_of(word: Word, *, overlapping: bool) -> list[Pair]:
    """The pairs of neighbours; without overlapping, "aaa" holds the pair "aa" once: a second one can't be joined."""
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
    """The merge that no trainer could have chosen: which one, why, and in which of the well-known ways."""

    def __init__(self, number: int, reason: str, evidence: list):
        super().__init__(reason)
        self.number = number
        self.evidence = evidence


class Replay:
    """Carries out merges on a text, one after the other, and keeps both counts of all pairs up to date."""

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

    def carry_out(self, pair: Pair) -> None:
        """Joins the pair everywhere. Raises WrongMerge where it is not as frequent as any, in either count."""
        most = [max(total.values(), default=0) for total in self.totals]
        if not any(total[pair] == highest > 0 for total, highest in zip(self.totals, most, strict=True)):
            raise self._wrong(pair)
        for number in self.where.pop(pair):
            if (joined := join(self.words[number], pair)) != self.words[number]:
                self._count(number, -1)
                self.words[number] = joined
                self._count(number, 1)
        self.merges.append(pair)

    def _wrong(self, pair: Pair) -> WrongMerge:
        total, number = self.totals[0], len(self.merges)
        best, most = max(total.items(), key=lambda entry: entry[1], default=((b"", b""), 0))
        reason = f"Merge {number} joins {pair[0]!r} and {pair[1]!r}, which stand side by side {total[pair]} times"
        if most:
            reason += f", while {best[0]!r} and {best[1]!r} do {most} times."
        else:
            reason += "; no pair is left at all."
        ways = [name for name, rule in WRONG_RULES.items() if rule(self, pair)]
        if "a pair across pieces" in ways:
            reason += " It crosses the border of a piece: merges stay inside the pieces that PATTERN cuts."
        return WrongMerge(number, reason, [*ways, number == 0])


def replay(text: str, merges: list[Pair]) -> bool:
    """Carries out the merges on the text. Returns whether a pair is left afterwards. Raises WrongMerge."""
    run = Replay(text)
    for pair in merges:
        run.carry_out(pair)
    return run.pair_left()


# Rules by which a wrong trainer may have chosen; each says whether it would have chosen this pair now.


def _highest(total: Counter, pair: Pair) -> bool:
    return total[pair] == max(total.values(), default=0) > 0


def _after(run: Replay, words: Counter) -> Counter:
    """The counts of other words after the merges so far."""
    for done in run.merges:
        joined: Counter = Counter()
        for word, times in words.items():
            joined[join(word, done)] += times
        words = joined
    return counts(words)


def _rarest(run: Replay, pair: Pair) -> bool:
    present = [count for count in run.totals[0].values() if count > 0]
    return run.totals[0][pair] == min(present, default=0) > 0


def _words_once(run: Replay, pair: Pair) -> bool:
    return _highest(counts(Counter(set(run.words))), pair)


def _first_counts(run: Replay, pair: Pair) -> bool:
    first = counts(words_of(pieces(run.text)))
    for done in run.merges:
        first.pop(done, None)
    return _highest(first, pair)


def _crosses(run: Replay, pair: Pair) -> bool:
    """Whether the joined token is text of more than one piece, or would be the choice if pieces were not cut."""
    try:
        if len(pieces((pair[0] + pair[1]).decode())) > 1:
            return True
    except UnicodeDecodeError:
        return False  # part of a character: as such it lies within a piece
    return _highest(_after(run, words_of([run.text])), pair)


WRONG_RULES = {
    "a pair that is not there": lambda run, pair: run.totals[0][pair] <= 0,
    "the rarest pair": _rarest,
    "each different word counted once": _words_once,
    "the counts from the beginning": _first_counts,
    "a pair across pieces": _crosses,
    "words without their spaces": lambda run, pair: _highest(_after(run, words_of(run.text.split())), pair),
    "lower-case text": lambda run, pair: _highest(_after(run, words_of(pieces(run.text.lower()))), pair),
}


# Encoding.


def encode_piece(piece: str, ranks: dict[Pair, int]) -> Word:
    """In a piece the pair of the lowest rank is joined wherever it stands, until no pair has a rank."""
    word = as_word(piece)
    while len(word) > 1:
        pair = min(itertools.pairwise(word), key=lambda pair: ranks.get(pair, len(ranks)))
        if pair not in ranks:
            break
        word = join(word, pair)
    return word


def encode(text: str, merges: list[Pair]) -> list[int]:
    """The ids of the text under these merges."""
    ranks = rank_of(merges)
    return to_ids((encode_piece(piece, ranks) for piece in pieces(text)), merges)


def rank_of(merges: list[Pair]) -> dict[Pair, int]:
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
    """The bytes that ids stand for; None where one of them is no byte and no merge."""
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
    return b"".join(tokens[i] for i in ids) if all(0 <= i < len(tokens) for i in ids) else None


# Well-known other ways to encode; each gives the ids of a text under the merges.


def _left_to_right(piece: str, ranks: dict[Pair, int]) -> Word:
    word = as_word(piece)
    while (pair := next((pair for pair in itertools.pairwise(word) if pair in ranks), None)) is not None:
        word = join(word, pair)
    return word


def _highest_rank(piece: str, ranks: dict[Pair, int]) -> Word:
    word = as_word(piece)
    while known := [pair for pair in itertools.pairwise(word) if pair in ranks]:
        word = join(word, max(known, key=lambda pair: ranks[pair]))
    return word


def _longest_match(piece: str, ranks: dict[Pair, int]) -> Word:
    tokens, data, out = {left + right for left, right in ranks}, piece.encode(), []
    longest, start = max(map(len, tokens), default=1), 0
    while start < len(data):
        length = next((n for n in range(longest, 1, -1) if data[start : start + n] in tokens), 1)
        length = min(length, len(data) - start)
        out.append(data[start : start + length])
        start += length
    return tuple(out)


def _one_join(piece: str, ranks: dict[Pair, int]) -> Word:
    word = as_word(piece)
    pair = min(itertools.pairwise(word), key=lambda pair: ranks.get(pair, len(ranks)), default=None)
    return join(word, pair) if pair in ranks else word


OTHER_WAYS = {
    "left to right": (pieces, _left_to_right),
    "highest rank first": (pieces, _highest_rank),
    "longest match": (pieces, _longest_match),
    "one join only": (pieces, _one_join),
    "bytes only": (pieces, lambda piece, ranks: as_word(piece)),
    "across pieces": (lambda text: [text], encode_piece),
    "pieces in another order": (lambda text: pieces(text)[::-1], encode_piece),
}


def telling(candidates: Iterable[str], merges: list[Pair], each: int) -> list[str]:
    """Of the candidates, for each of the other ways the first few that it encodes in its own manner."""
    ranks = rank_of(merges)
    missing = dict.fromkeys(OTHER_WAYS, each)
    chosen = []
    for text in candidates:
        right = encode(text, merges)
        differing = [
            name
            for name, (cut, encode_part) in OTHER_WAYS.items()
            if missing[name] and to_ids((encode_part(part, ranks) for part in cut(text)), merges) != right
        ]
        if differing:
            chosen.append(text)
        for name in differing:
            missing[name] -= 1
    return chosen


def way_of(text: str, ids: list[int] | None, merges: list[Pair]) -> list:
    """How these ids may have come about: evidence that is the same whichever merges were learned."""
    if ids is None:
        return ["no list of ints"]
    if ids == encode(text, merges):
        return ["right"]
    ranks = rank_of(merges)
    for name, (cut, encode_part) in OTHER_WAYS.items():
        if ids == to_ids((encode_part(part, ranks) for part in cut(text)), merges):
            return [name]
    data = spelled(ids, merges)
    if data == text.encode():
        return ["other tokens of the same text"]
    return ["other text", None if data is None else data.decode(errors="replace")]
