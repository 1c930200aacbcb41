"""Trains on one linked list over the whole corpus, position by position, with sets of places for each pair."""

import pickle
from collections import defaultdict

import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class Chain:
    """Tokens as a doubly linked list in arrays; -1 is the end of a piece, so no pair crosses one."""

    def __init__(self, pieces):
        self.token, self.before, self.after = [], [], []
        self.places = defaultdict(set)
        for piece in pieces:
            start = len(self.token)
            self.token.extend(piece)
            self.before.extend([-1, *range(start, start + len(piece) - 1)])
            self.after.extend([*range(start + 1, start + len(piece)), -1])
        for i in range(len(self.token)):
            self.enter(i)

    def pair(self, i):
        return (self.token[i], self.token[self.after[i]]) if i >= 0 and self.after[i] >= 0 else None

    def enter(self, i):
        if (pair := self.pair(i)) is not None:
            self.places[pair].add(i)

    def leave(self, i):
        if (pair := self.pair(i)) is not None:
            self.places[pair].discard(i)

    def merge(self, pair, new):
        for i in sorted(self.places.pop(pair)):
            if self.pair(i) != pair:
                continue  # the middle one of three equal tokens, joined a moment ago
            j = self.after[i]
            self.leave(self.before[i])
            self.leave(j)
            self.token[i], self.token[j] = new, None
            self.after[i] = self.after[j]
            if self.after[j] >= 0:
                self.before[self.after[j]] = i
            self.after[j] = -1
            self.enter(self.before[i])
            self.enter(i)
        self.places.pop(pair, None)

    def tokens(self):
        return [t for t in self.token if t is not None]


class BPETokenizer:
    def __init__(self, table, special_tokens):
        self.table = table  # id -> (left id, right id)
        self.special_tokens = special_tokens
        self.token_bytes = {i: bytes([i]) for i in range(256)}
        for i, (a, b) in table.items():
            self.token_bytes[i] = self.token_bytes[a] + self.token_bytes[b]
        self.by_pair = {pair: i for i, pair in table.items()}

    @property
    def merges(self):
        return [(self.token_bytes[a], self.token_bytes[b]) for a, b in self.table.values()]

    @property
    def vocab_size(self):
        return len(self.token_bytes) + len(self.special_tokens)

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        last = vocab_size - len(special_tokens)
        if last < 256:
            raise ValueError(f"vocab_size must be at least {256 + len(special_tokens)}")
        chain = Chain([piece.encode() for piece in regex.findall(PATTERN, text)])
        table = {}
        while 256 + len(table) < last:
            pair = max(chain.places, key=lambda p: (len(chain.places[p]), -p[0], -p[1]), default=None)
            if pair is None or not chain.places[pair]:
                break
            table[256 + len(table)] = pair
            chain.merge(pair, 255 + len(table))
        return cls(table, {name: 256 + len(table) + n for n, name in enumerate(special_tokens)})

    def encode(self, text, allowed_special=frozenset()):
        for name in sorted(allowed_special, key=len, reverse=True):
            if name in self.special_tokens and name in text:
                left, right = text.split(name, 1)
                return [
                    *self.encode(left, frozenset(allowed_special) - {name}),
                    self.special_tokens[name],
                    *self.encode(right, allowed_special),
                ]
        ids = []
        for piece in regex.findall(PATTERN, text):
            chain = Chain([piece.encode()])
            while known := [self.by_pair[p] for p, places in chain.places.items() if places and p in self.by_pair]:
                chain.merge(self.table[min(known)], min(known))
            ids += chain.tokens()
        return ids

    def decode_bytes(self, ids):
        ids = ids.tolist() if hasattr(ids, "tolist") else ids
        names = {i: name.encode() for name, i in self.special_tokens.items()}
        unknown = [i for i in ids if i not in self.token_bytes and i not in names]
        if unknown:
            raise ValueError(f"unknown ids: {unknown[:5]}")
        return b"".join(self.token_bytes.get(i) or names[i] for i in ids)

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path):
        with open(path, "wb") as file:
            pickle.dump(self, file)

    @classmethod
    def load(cls, path):
        with open(path, "rb") as file:
            return pickle.load(file)

    def mergeable_ranks(self):
        return {token: i for i, token in self.token_bytes.items()}
