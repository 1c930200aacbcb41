"""A frozen dataclass around functions; one join at a time through a heap; encode keeps the last texts by lru_cache."""

import ast
import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from itertools import chain

import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def fold(tokens, pair):
    def step(done, token):
        if done and done[-1] == pair[0] and token == pair[1]:
            done[-1] = Joined(pair[0] + pair[1])
        else:
            done.append(token)
        return done

    # a token made in this pass must not be joined again in it, so it is marked until the end
    return tuple(bytes(token) for token in reduce(step, tokens, []))


class Joined(bytes):
    """Bytes that equal nothing else."""

    __hash__ = bytes.__hash__

    def __eq__(self, other):
        return self is other


@dataclass(frozen=True, eq=False)
class BPETokenizer:
    merges: list = field(default_factory=list)
    names: tuple = ()

    @cached_property
    def tokens(self):
        return [bytes([i]) for i in range(256)] + [a + b for a, b in self.merges]

    @cached_property
    def special_tokens(self):
        return dict(zip(self.names, range(len(self.tokens), self.vocab_size)))

    @property
    def vocab_size(self):
        return 256 + len(self.merges) + len(self.names)

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        room = vocab_size - 256 - len(special_tokens)
        if room < 0:
            raise ValueError(f"no room for {-room} of the special tokens")
        counted = Counter(tuple(bytes([b]) for b in piece.encode()) for piece in regex.findall(PATTERN, text))
        totals, holders = Counter(), defaultdict(set)

        def note(word, times):
            for pair in zip(word, word[1:]):
                totals[pair] += times
                holders[pair].add(word)

        for word, times in counted.items():
            note(word, times)
        merges = []
        for _ in range(room):
            if not (best := max(totals.values(), default=0)):
                break
            pair = min(pair for pair, total in totals.items() if total == best)
            merges.append(pair)
            for word in holders.pop(pair):
                times = counted.pop(word, 0)
                for old in zip(word, word[1:]):
                    totals[old] -= times
                new = fold(word, pair)
                counted[new] += times
                note(new, times)
        return cls(merges, tuple(special_tokens))

    @cached_property
    def encode_text(self):
        rank = {pair: n for n, pair in enumerate(self.merges)}
        number = {token: n for n, token in enumerate(self.tokens)}

        @lru_cache(maxsize=10_000)
        def piece_ids(piece):
            data = piece.encode()
            ends = {i: i + 1 for i in range(len(data))}  # where the token that begins at i ends
            starts = {end: start for start, end in ends.items()}
            waiting = []

            def consider(i):
                middle = ends.get(i)
                if middle in ends:
                    pair = data[i:middle], data[middle : ends[middle]]
                    if pair in rank:
                        heapq.heappush(waiting, (rank[pair], i, middle, ends[middle]))

            for i in range(len(data) - 1):
                consider(i)
            while waiting:
                _, i, middle, end = heapq.heappop(waiting)
                if ends.get(i) != middle or ends.get(middle) != end:
                    continue
                del ends[middle]
                ends[i], starts[end] = end, i
                consider(i)
                if i in starts:
                    consider(starts[i])
            return [number[data[i : ends[i]]] for i in sorted(ends)]

        @lru_cache(maxsize=100)
        def text_ids(text, allowed):
            names = [name for name in self.names if name in allowed]
            if not names:
                return tuple(chain.from_iterable(map(piece_ids, regex.findall(PATTERN, text))))
            cutter = regex.compile(r"(?|" + "|".join(f"({regex.escape(n)})" for n in sorted(names, key=len)[::-1]) + ")")
            parts = cutter.split(text)
            ids = [list(text_ids(part, frozenset())) for part in parts]
            ids[1::2] = [[self.special_tokens[part]] for part in parts[1::2]]
            return tuple(chain.from_iterable(ids))

        return text_ids

    def encode(self, text, allowed_special=frozenset()):
        return list(self.encode_text(text, allowed_special))

    def decode_bytes(self, ids):
        table = dict(enumerate(self.tokens)) | {i: name.encode() for name, i in self.special_tokens.items()}
        try:
            return b"".join([table[int(i)] for i in ids])
        except KeyError as error:
            raise ValueError(f"id {error} is none of {self.vocab_size}") from error

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(repr((self.merges, self.names)))

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(*ast.literal_eval(file.read()))

    def mergeable_ranks(self):
        return {token: i for i, token in enumerate(self.tokens)}
