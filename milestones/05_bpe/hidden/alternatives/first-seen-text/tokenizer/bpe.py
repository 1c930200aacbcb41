"""Ties go to the pair seen first; a text file."""

from collections import Counter

import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class BPETokenizer:
    def __init__(self):
        self.merges, self.special_tokens = [], {}

    @property
    def vocab_size(self):
        return 256 + len(self.merges) + len(self.special_tokens)

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        self = cls()
        wanted = vocab_size - 256 - len(special_tokens)
        # words as lists of bytes objects, an index from pair to words, and a plain max over the dictionary of counts
        counted = Counter(regex.findall(PATTERN, text))
        words = [[bytes([b]) for b in w.encode()] for w in counted]
        times = list(counted.values())
        count, index = Counter(), {}
        for n, word in enumerate(words):
            for pair in zip(word, word[1:]):
                count[pair] += times[n]
                index.setdefault(pair, set()).add(n)
        while len(self.merges) < wanted and count:
            pair = max(count, key=count.get)
            self.merges.append(pair)
            for n in sorted(index.pop(pair)):
                for old in zip(words[n], words[n][1:]):
                    count[old] -= times[n]
                    if count[old] <= 0:
                        del count[old]
                words[n] = self._join(words[n], pair)
                for new in zip(words[n], words[n][1:]):
                    count[new] += times[n]
                    index.setdefault(new, set()).add(n)
            count.pop(pair, None)
        for token in special_tokens:
            self.special_tokens[token] = 256 + len(self.merges) + len(self.special_tokens)
        self._prepare()
        return self

    def _prepare(self):
        self.vocab = {i: bytes([i]) for i in range(256)}
        for i, (left, right) in enumerate(self.merges):
            self.vocab[256 + i] = left + right
        self.rank = {pair: i for i, pair in enumerate(self.merges)}

    def encode(self, text, allowed_special=frozenset()):
        special = {t: i for t, i in self.special_tokens.items() if t in allowed_special}
        ids, rest = [], text
        while special and rest:
            found = [(rest.find(t), -len(t), t) for t in special if t in rest]
            if not found:
                break
            at, _, token = min(found)
            ids += self._ordinary(rest[:at]) + [special[token]]
            rest = rest[at + len(token):]
        return ids + self._ordinary(rest)

    def _ordinary(self, text):
        out = []
        for match in regex.finditer(PATTERN, text):
            out.extend(self._piece(match.group().encode("utf-8")))
        return out

    @staticmethod
    def _join(word, pair):
        out, i = [], 0
        while i < len(word):
            two = tuple(word[i : i + 2])
            out.append(two[0] + two[1] if two == pair else word[i])
            i += 2 if two == pair else 1
        return out

    def _piece(self, data):
        word = [data[i : i + 1] for i in range(len(data))]
        while True:
            ranked = [self.rank[pair] for pair in zip(word, word[1:]) if pair in self.rank]
            if not ranked:
                break
            word = self._join(word, self.merges[min(ranked)])
        return self._ids(word)

    def _ids(self, word):
        made = {}
        for i, (left, right) in enumerate(self.merges):
            made.setdefault(left + right, 256 + i)
        return [token[0] if len(token) == 1 else made[token] for token in word]

    def decode_bytes(self, ids):
        names = {i: t.encode() for t, i in self.special_tokens.items()}
        try:
            return b"".join(names[int(i)] if int(i) in names else self.vocab[int(i)] for i in ids)
        except KeyError as error:
            raise ValueError(f"there is no token {error}") from None

    def decode(self, ids):
        return str(self.decode_bytes(ids), "utf-8", "replace")

    def save(self, path):
        with open(path, "w", encoding="ascii") as file:
            print("bpe 1", len(self.merges), file=file)
            for left, right in self.merges:
                print(left.hex(), right.hex(), file=file)
            for token, i in self.special_tokens.items():
                print(token.encode().hex(), i, file=file)

    @classmethod
    def load(cls, path):
        self = cls()
        lines = open(path, encoding="ascii").read().splitlines()
        count = int(lines[0].split()[2])
        self.merges = [tuple(map(bytes.fromhex, line.split())) for line in lines[1 : count + 1]]
        self.special_tokens = {bytes.fromhex(a).decode(): int(b) for a, b in map(str.split, lines[count + 1 :])}
        self._prepare()
        return self

    def mergeable_ranks(self):
        return {token: i for i, token in self.vocab.items()}
