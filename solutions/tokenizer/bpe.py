"""Byte-pair encoding (Gage 1994; Sennrich et al. 2016, arXiv:1508.07909; on bytes as in GPT-2, Radford et al. 2019).

Text is cut into pieces that look like words (PATTERN), each piece into its UTF-8 bytes. Training joins the most
frequent pair of neighbours into a new token, again and again; encoding carries out the same joins in the same order.
No join ever crosses the border of a piece.

Ids: 0..255 are the bytes, 256 + i is the token that the i-th merge makes, and the special tokens come last.
"""

import heapq
import json
from collections import Counter, defaultdict
from itertools import pairwise

import regex

# GPT-2's pre-split: English contractions, letters, digits, other signs, each with one space before it; white space.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class BPETokenizer:
    """merges: list of (bytes, bytes), in the order of training; special_tokens: dict text -> id; vocab_size: int."""

    def __init__(self, merges, special_tokens=()):
        """merges: list of (left, right) as bytes. special_tokens: texts in the order of their ids."""
        ### BEGIN SOLUTION
        self.merges = [(bytes(left), bytes(right)) for left, right in merges]
        self.tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in self.merges]
        self.special_tokens = {text: len(self.tokens) + i for i, text in enumerate(special_tokens)}
        self.vocab_size = len(self.tokens) + len(self.special_tokens)
        ids = {token: i for i, token in enumerate(self.tokens)}
        self.ranks = {(ids[left], ids[right]): 256 + i for i, (left, right) in enumerate(self.merges)}
        self.pieces = {}  # piece -> its ids: natural text repeats its words
        ### END SOLUTION

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        """Learns merges until the vocabulary has vocab_size entries: 256 bytes, merges and special tokens together.

        Each merge joins a pair of neighbouring tokens that is as frequent as any in the text so far; ties may go either
        way, but the same way in every process. Fewer merges where no pair is left. Special tokens are not looked for
        in the text. Raises ValueError where vocab_size is less than 256 bytes and the special tokens need.
        """
        ### BEGIN SOLUTION
        wanted = vocab_size - 256 - len(special_tokens)
        if wanted < 0:
            raise ValueError(
                f"vocab_size {vocab_size} is too small for 256 bytes and {len(special_tokens)} special tokens"
            )
        counted = Counter(regex.findall(PATTERN, text))
        return cls(_learn([list(piece.encode()) for piece in counted], list(counted.values()), wanted), special_tokens)
        ### END SOLUTION

    def encode(self, text, allowed_special=frozenset()) -> list[int]:
        """Ids of the text. A special token's text becomes its id only if allowed_special has it, the longest first."""
        ### BEGIN SOLUTION
        allowed = sorted((t for t in allowed_special if t in self.special_tokens), key=len, reverse=True)
        parts = regex.split(f"({'|'.join(map(regex.escape, allowed))})", text) if allowed else [text]
        ids = []
        for number, part in enumerate(parts):
            if number % 2:  # split puts what it captured, the special tokens, at the odd places
                ids.append(self.special_tokens[part])
            else:
                for piece in regex.findall(PATTERN, part):
                    ids.extend(self._encode_piece(piece))
        return ids
        ### END SOLUTION

    ### BEGIN SOLUTION
    def _encode_piece(self, piece):
        """Joins the pair of the lowest rank, everywhere in the piece, until no pair has one."""
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
    def decode_bytes(self, ids) -> bytes:
        """The bytes that the ids stand for; a special token gives its text in UTF-8. ValueError for an unknown id."""
        ### BEGIN SOLUTION
        special = {i: text.encode() for text, i in self.special_tokens.items()}
        out = []
        for i in map(int, ids):
            if not 0 <= i < self.vocab_size:
                raise ValueError(f"id {i} is outside 0..{self.vocab_size - 1}")
            out.append(special[i] if i in special else self.tokens[i])
        return b"".join(out)
        ### END SOLUTION

    def decode(self, ids) -> str:
        """The text of a list or 1-D tensor of ids; bytes that are no valid UTF-8 become U+FFFD."""
        ### BEGIN SOLUTION
        return self.decode_bytes(ids).decode("utf-8", errors="replace")
        ### END SOLUTION

    def save(self, path):
        """Writes everything that `load` needs to one file, in a format of your choice."""
        ### BEGIN SOLUTION
        merges = [(left.hex(), right.hex()) for left, right in self.merges]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"merges": merges, "special_tokens": list(self.special_tokens)}, file)
        ### END SOLUTION

    @classmethod
    def load(cls, path):
        """The tokenizer that `save` wrote: the same merges, special tokens and ids."""
        ### BEGIN SOLUTION
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
        merges = [(bytes.fromhex(left), bytes.fromhex(right)) for left, right in saved["merges"]]
        return cls(merges, saved["special_tokens"])
        ### END SOLUTION

    def mergeable_ranks(self) -> dict[bytes, int]:
        """Every byte and every merged token with its id, without special tokens: what tiktoken.Encoding takes."""
        ### BEGIN SOLUTION
        return {token: i for i, token in enumerate(self.tokens)}
        ### END SOLUTION


### BEGIN SOLUTION
def _join(ids, pair, new):
    """ids with each occurrence of pair replaced by new, from the left: in a a a the first two are joined."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def _learn(words, counts, wanted):
    """Up to `wanted` merges from words (lists of byte values) that occur `counts` times each.

    The counts of all pairs are kept up to date: a merge changes only the words that hold its pair. The heap may hold
    outdated counts; they are noticed when they come up.
    """
    tokens = [bytes([byte]) for byte in range(256)]
    totals, where = Counter(), defaultdict(set)
    for w, word in enumerate(words):
        for pair in pairwise(word):
            totals[pair] += counts[w]
            where[pair].add(w)
    heap = [(-count, pair) for pair, count in totals.items()]
    heapq.heapify(heap)
    merges = []
    while heap and len(merges) < wanted:
        count, pair = heapq.heappop(heap)
        if -count != totals[pair]:
            if totals[pair] > 0:
                heapq.heappush(heap, (-totals[pair], pair))
            continue
        merges.append((tokens[pair[0]], tokens[pair[1]]))
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        raised = set()
        for w in where.pop(pair):
            old, new = words[w], _join(words[w], pair, len(tokens) - 1)
            for other in pairwise(old):
                totals[other] -= counts[w]
            for other in pairwise(new):
                totals[other] += counts[w]
                where[other].add(w)
                if len(tokens) - 1 in other:
                    raised.add(other)
            words[w] = new
        del totals[pair]
        for other in raised:
            heapq.heappush(heap, (-totals[other], other))
    return merges


### END SOLUTION
