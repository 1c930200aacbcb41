"""Byte-pair encoding: text to ids and back, with a vocabulary that is learned from text.

The text is cut into pieces that look like words (PATTERN), and each piece into its UTF-8 bytes. Training joins the most
frequent pair of neighbours into a new token, again and again. Encoding makes the same joins in the same order. No join
ever crosses the border of a piece.

Ids: 0 to 255 are the bytes, 256 + i is the token that merge number i makes, and the special tokens come last.

The algorithm is Gage's (1994, "A New Algorithm for Data Compression"), brought to words by Sennrich et al. (2016,
arXiv:1508.07909) and to bytes by GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").
"""

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import regex

# GPT-2's pieces: English contractions; letters, digits or other signs, with one space before them; white space.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class BPETokenizer:
    """A trained tokenizer.

    merges: list of (bytes, bytes), in the order of training. special_tokens: dict from text to id. vocab_size: int.
    """

    def __init__(self, merges: Iterable[tuple[bytes, bytes]], special_tokens: Iterable[str] = ()):
        """merges: pairs (left, right). special_tokens: their texts, in the order of their ids."""
        ### BEGIN SOLUTION
        self.merges = [(bytes(left), bytes(right)) for left, right in merges]
        self.tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in self.merges]
        self.special_tokens = {text: len(self.tokens) + i for i, text in enumerate(special_tokens)}
        self.vocab_size = len(self.tokens) + len(self.special_tokens)
        ids = {token: i for i, token in enumerate(self.tokens)}
        self.ranks = {(ids[left], ids[right]): 256 + i for i, (left, right) in enumerate(self.merges)}
        self.pieces = {}  # piece -> its ids, because natural text repeats its words
        ### END SOLUTION

    @classmethod
    def train(cls, text: str, vocab_size: int, special_tokens: Sequence[str] = ()) -> "BPETokenizer":
        """Learns merges until bytes, merges and special tokens together are vocab_size entries.

        Each merge joins a pair of neighbouring tokens that is as frequent as any in the text so far. Ties may go either
        way, but must go the same way in every process. There are fewer merges if no pair is left. The texts of special
        tokens are ordinary text here. Raises ValueError if vocab_size has no room for 256 bytes and the special tokens.
        """
        ### BEGIN SOLUTION
        wanted = vocab_size - 256 - len(special_tokens)
        if wanted < 0:
            raise ValueError(
                f"vocab_size {vocab_size} has no room for the bytes and {len(special_tokens)} special tokens"
            )
        counted = Counter(regex.findall(PATTERN, text))
        words = [list(piece.encode()) for piece in counted]
        return cls(_learn(words, list(counted.values()), wanted), special_tokens)
        ### END SOLUTION

    def encode(self, text: str, allowed_special: frozenset[str] | set[str] = frozenset()) -> list[int]:
        """The ids of the text.

        The text of a special token becomes its id only if allowed_special holds it. If several of them begin at one
        place, the longest wins.
        """
        ### BEGIN SOLUTION
        allowed = sorted((t for t in allowed_special if t in self.special_tokens), key=len, reverse=True)
        parts = regex.split(f"({'|'.join(map(regex.escape, allowed))})", text) if allowed else [text]
        ids = []
        for number, part in enumerate(parts):
            if number % 2:  # split puts what it captured, the special tokens, in the odd places
                ids.append(self.special_tokens[part])
            else:
                for piece in regex.findall(PATTERN, part):
                    ids.extend(self._encode_piece(piece))
        return ids
        ### END SOLUTION

    ### BEGIN SOLUTION
    def _encode_piece(self, piece: str) -> list[int]:
        """Joins the pair of the lowest rank, everywhere in the piece, until no pair has a rank."""
        if piece not in self.pieces:
            ids = list(piece.encode())
            while len(ids) > 1:
                pair = min(pairwise(ids), key=lambda pair: self.ranks.get(pair, float("inf")))
                if pair not in self.ranks:
                    break
                ids = _join(ids, pair, self.ranks[pair])
            self.pieces[piece] = ids
        return self.pieces[piece]

    ### END SOLUTION
    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that the ids stand for. A special token gives its text in UTF-8.

        ids: a list or a 1-D tensor. Raises ValueError for an id that no token has.
        """
        ### BEGIN SOLUTION
        special = {i: text.encode() for text, i in self.special_tokens.items()}
        out = []
        for i in map(int, ids):
            if not 0 <= i < self.vocab_size:
                raise ValueError(f"id {i} is outside 0..{self.vocab_size - 1}")
            out.append(special[i] if i in special else self.tokens[i])
        return b"".join(out)
        ### END SOLUTION

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a list or 1-D tensor of ids. Bytes that are not valid UTF-8 become U+FFFD."""
        ### BEGIN SOLUTION
        return self.decode_bytes(ids).decode("utf-8", errors="replace")
        ### END SOLUTION

    def save(self, path: Path | str) -> None:
        """Writes everything that `load` needs to one file, in a format of your choice."""
        ### BEGIN SOLUTION
        merges = [(left.hex(), right.hex()) for left, right in self.merges]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"merges": merges, "special_tokens": list(self.special_tokens)}, file)
        ### END SOLUTION

    @classmethod
    def load(cls, path: Path | str) -> "BPETokenizer":
        """The tokenizer that `save` wrote: the same merges, special tokens and ids."""
        ### BEGIN SOLUTION
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
        merges = [(bytes.fromhex(left), bytes.fromhex(right)) for left, right in saved["merges"]]
        return cls(merges, saved["special_tokens"])
        ### END SOLUTION

    def mergeable_ranks(self) -> dict[bytes, int]:
        """Every byte and every merged token with its id, without the special tokens: what tiktoken.Encoding takes."""
        ### BEGIN SOLUTION
        return {token: i for i, token in enumerate(self.tokens)}
        ### END SOLUTION


### BEGIN SOLUTION
def _join(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """The ids with each occurrence of the pair replaced by `new`, from the left: in a a a the first two are joined."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def _learn(words: list[list[int]], counts: list[int], wanted: int) -> list[tuple[bytes, bytes]]:
    """Up to `wanted` merges from words, each a list of bytes, that occur `counts` times each."""
    tokens = [bytes([byte]) for byte in range(256)]
    merges = []
    pairs = _Pairs(words, counts)
    while len(merges) < wanted and (pair := pairs.pop_most_frequent()) is not None:
        left, right = tokens[pair[0]], tokens[pair[1]]
        merges.append((left, right))
        pairs.join(pair, len(tokens))
        tokens.append(left + right)
    return merges


class _Pairs:
    """The pairs of neighbours in words that occur `counts` times each, and how often each pair occurs.

    A join changes only the words that hold its pair, so `totals` is kept up to date and never counted anew. A total in
    the heap may have fallen since it was put there, so it is compared with `totals` when it comes up.
    """

    def __init__(self, words: list[list[int]], counts: list[int]):
        self.words, self.counts = words, counts
        self.totals = Counter()  # pair -> how often it occurs
        self.where = defaultdict(set)  # pair -> the numbers of the words that hold it, or held it once
        for w, word in enumerate(words):
            for pair in pairwise(word):
                self.totals[pair] += counts[w]
                self.where[pair].add(w)
        self.heap = [(-total, pair) for pair, total in self.totals.items()]
        heapq.heapify(self.heap)

    def pop_most_frequent(self) -> tuple[int, int] | None:
        """The most frequent pair, of several the smallest; None if no pair is left."""
        while self.heap:
            negative, pair = heapq.heappop(self.heap)
            total = self.totals[pair]
            if total == -negative:
                return pair
            if total > 0:
                heapq.heappush(self.heap, (-total, pair))
        return None

    def join(self, pair: tuple[int, int], new: int) -> None:
        """Joins the pair into the id `new` in every word."""
        made = set()
        for w in self.where.pop(pair):
            before, after = self.words[w], _join(self.words[w], pair, new)
            for old in pairwise(before):
                self.totals[old] -= self.counts[w]
            for fresh in pairwise(after):
                self.totals[fresh] += self.counts[w]
                self.where[fresh].add(w)
                if new in fresh:
                    made.add(fresh)
            self.words[w] = after
        for fresh in made:
            heapq.heappush(self.heap, (-self.totals[fresh], fresh))


### END SOLUTION
