"""Words are strings with a blank between tokens (each byte a letter of its own), merged by text substitution."""

import base64
from collections import defaultdict

import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
FIRST = 0x4E00  # byte b is written as the character FIRST + b, so that no byte looks like a blank


def written(data):
    return " ".join(chr(FIRST + byte) for byte in data)


def read(token):
    return bytes(ord(letter) - FIRST for letter in token)


def substitute(word, left, right):
    pattern = rf"(?<!\S){left} {right}(?!\S)"
    return regex.sub(pattern, left + right, word)


class BPETokenizer:
    merges: list
    special_tokens: dict
    vocab_size: int

    @classmethod
    def _build(cls, rules, names):
        self = object.__new__(cls)
        self.rules = list(rules)
        self.merges = [(read(a), read(b)) for a, b in self.rules]
        self.order = {rule: n for n, rule in enumerate(self.rules)}
        letters = [chr(FIRST + byte) for byte in range(256)] + [a + b for a, b in self.rules]
        self.number = {token: n for n, token in enumerate(letters)}
        self.special_tokens = {name: len(letters) + n for n, name in enumerate(names)}
        self.vocab_size = len(letters) + len(names)
        self.bytes_of = {n: read(token) for token, n in self.number.items()}
        self.bytes_of |= {n: name.encode() for name, n in self.special_tokens.items()}
        self.known = {}
        return self

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        names = list(special_tokens)
        room = vocab_size - 256 - len(names)
        if room < 0:
            raise ValueError(f"{vocab_size} entries are fewer than 256 bytes and {len(names)} special tokens")
        often = defaultdict(int)
        for piece in regex.findall(PATTERN, text):
            often[written(piece.encode())] += 1
        totals, holders = defaultdict(int), defaultdict(dict)

        def enter(word, sign):
            parts = word.split(" ")
            for rule in zip(parts, parts[1:]):
                totals[rule] += sign * often[word]
                if totals[rule] == 0:
                    del totals[rule]
                if sign > 0:
                    holders[rule][word] = None

        for word in often:
            enter(word, 1)
        rules = []
        while totals and len(rules) < room:
            rule = max(totals.items(), key=lambda entry: entry[1])[0]
            rules.append(rule)
            for word in holders.pop(rule):
                if word not in often:
                    continue
                enter(word, -1)
                shorter = substitute(word, *rule)
                often[shorter] = often.pop(word)
                enter(shorter, 1)
        return cls._build(rules, names)

    def encode(self, text, allowed_special=frozenset()):
        allowed = {name for name in self.special_tokens if name in allowed_special}
        out, begin, at = [], 0, 0
        while allowed and at < len(text):
            here = max((name for name in allowed if text.startswith(name, at)), key=len, default=None)
            if here is None:
                at += 1
                continue
            out.extend(self._plain(text[begin:at]))
            out.append(self.special_tokens[here])
            begin = at = at + len(here)
        out.extend(self._plain(text[begin:]))
        return out

    def _plain(self, text):
        return [number for piece in regex.findall(PATTERN, text) for number in self._piece(piece)]

    def _piece(self, piece):
        if piece in self.known:
            return self.known[piece]
        word = written(piece.encode())
        while True:
            parts = word.split(" ")
            rules = [rule for rule in zip(parts, parts[1:]) if rule in self.order]
            if not rules:
                break
            word = substitute(word, *min(rules, key=self.order.__getitem__))
        self.known[piece] = tuple(self.number[part] for part in parts)
        return self.known[piece]

    def decode_bytes(self, ids):
        out = bytearray()
        for number in ids:
            piece = self.bytes_of.get(int(number))
            if piece is None:
                raise ValueError(f"unknown id {int(number)}")
            out += piece
        return bytes(out)

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def save(self, path):
        def pack(data):
            return base64.b64encode(data).decode()

        lines = [f"merge {pack(a)} {pack(b)}" for a, b in self.merges]
        lines += [f"special {pack(name.encode())}" for name in self.special_tokens]
        with open(path, "w") as file:
            file.write("\n".join(lines))

    @classmethod
    def load(cls, path):
        rules, names = [], []
        for line in open(path):
            kind, *fields = line.split()
            data = [base64.b64decode(field) for field in fields]
            if kind == "merge":
                rules.append(tuple("".join(chr(FIRST + byte) for byte in part) for part in data))
            else:
                names.append(data[0].decode())
        return cls._build(rules, names)

    def mergeable_ranks(self):
        return {read(token): number for token, number in self.number.items()}
