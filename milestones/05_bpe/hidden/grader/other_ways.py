"""Well-known wrong ways to encode. All but the last give ids that decode to the right text.

They serve twice: to choose texts on which the ways differ, and to say how wrong ids may have come about.
"""

import itertools
from collections.abc import Iterable

from .replay import Pair, Word, as_word, encode, encode_piece, join, pieces, ranks_of, spelled, to_ids


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


def _bytes_only(piece: str, ranks: dict[Pair, int]) -> Word:
    return as_word(piece)


def _whole(text: str) -> list[str]:
    return [text]


def _reversed_pieces(text: str) -> list[str]:
    return pieces(text)[::-1]


# name -> how the text is cut into parts, and how each part is encoded
OTHER_WAYS = {
    "left to right": (pieces, _left_to_right),
    "highest rank first": (pieces, _highest_rank),
    "longest match": (pieces, _longest_match),
    "one join only": (pieces, _one_join),
    "bytes only": (pieces, _bytes_only),
    "across pieces": (_whole, encode_piece),
    "pieces in another order": (_reversed_pieces, encode_piece),
}


def encode_by(way: str, text: str, merges: list[Pair]) -> list[int]:
    """The ids that this way of encoding gives."""
    cut, encode_part = OTHER_WAYS[way]
    ranks = ranks_of(merges)
    return to_ids((encode_part(part, ranks) for part in cut(text)), merges)


def telling(candidates: Iterable[str], merges: list[Pair], each: int) -> list[str]:
    """Of the candidates, for each of the other ways the first `each` that it encodes differently."""
    missing = dict.fromkeys(OTHER_WAYS, each)
    chosen = []
    for text in candidates:
        right = encode(text, merges)
        differing = [way for way in OTHER_WAYS if missing[way] and encode_by(way, text, merges) != right]
        if differing:
            chosen.append(text)
        for way in differing:
            missing[way] -= 1
    return chosen


ANOTHER_TEXT = "another text"


def way_of(text: str, ids: list[int] | None, merges: list[Pair]) -> str:
    """How these ids may have come about: evidence that is the same whichever merges were learned."""
    if ids is None:
        return "not a list of ints"
    if ids == encode(text, merges):
        return "right"
    for way in OTHER_WAYS:
        if ids == encode_by(way, text, merges):
            return way
    data = spelled(ids, merges)
    if data is None:
        return "unknown ids"
    return "other tokens of the same text" if data == text.encode() else ANOTHER_TEXT


def way_and_text(text: str, ids: list[int] | None, merges: list[Pair]) -> str:
    """The same, with the other text if there is one: evidence for a text that does not depend on merges."""
    way = way_of(text, ids, merges)
    return f"{way}: {spelled(ids, merges).decode(errors='replace')}" if way == ANOTHER_TEXT else way
