"""All pairs are counted anew for each merge, but by numpy: one array of ids, with a wall between pieces."""

import io

import numpy as np
import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
WALL = -1


def walled(pieces):
    """One int64 array: the bytes of all pieces, with WALL after each."""
    if not pieces:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([np.append(np.frombuffer(p.encode(), dtype=np.uint8).astype(np.int64), WALL) for p in pieces])


def places_of(ids, left, right):
    """Where the pair begins, from the left and without overlaps."""
    found = np.flatnonzero((ids[:-1] == left) & (ids[1:] == right))
    if left != right or not len(found):
        return found
    run = np.cumsum(np.diff(found, prepend=found[0]) != 1)
    first = found[np.searchsorted(run, run)]
    return found[(found - first) % 2 == 0]


def joined(ids, left, right, new):
    places = places_of(ids, left, right)
    ids = ids.copy()
    ids[places] = new
    return np.delete(ids, places + 1)


class BPETokenizer:
    def __init__(self, pairs, special_tokens):
        self.pairs = pairs  # (left id, right id)
        self.special_tokens = special_tokens
        self.pieces_of_vocab = [bytes([i]) for i in range(256)]
        for left, right in pairs:
            self.pieces_of_vocab.append(self.pieces_of_vocab[left] + self.pieces_of_vocab[right])

    vocab_size = property(lambda self: len(self.pieces_of_vocab) + len(self.special_tokens))
    merges = property(lambda self: [(self.pieces_of_vocab[a], self.pieces_of_vocab[b]) for a, b in self.pairs])

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        if vocab_size < 256 + len(special_tokens):
            raise ValueError("vocab_size leaves no room for the bytes and the special tokens")
        ids, pairs = walled(regex.findall(PATTERN, text)), []
        for new in range(256, vocab_size - len(special_tokens)):
            left, right = ids[:-1], ids[1:]
            inside = (left != WALL) & (right != WALL)
            if not inside.any():
                break
            totals = np.bincount(left[inside] * new + right[inside])
            best = int(totals.argmax())
            pairs.append(divmod(best, new))
            ids = joined(ids, *pairs[-1], new)
        start = 256 + len(pairs)
        return cls(pairs, dict(zip(special_tokens, range(start, start + len(special_tokens)))))

    def encode(self, text, allowed_special=frozenset()):
        names = [t for t in self.special_tokens if t in allowed_special]
        names.sort(key=lambda t: -len(t))
        if not names:
            return self.ordinary(text)
        out, rest = [], 0
        for match in regex.finditer("|".join(regex.escape(t) for t in names), text):
            out += self.ordinary(text[rest : match.start()]) + [self.special_tokens[match[0]]]
            rest = match.end()
        return out + self.ordinary(text[rest:])

    def ordinary(self, text):
        ids = walled(regex.findall(PATTERN, text))
        for number, (left, right) in enumerate(self.pairs):
            if len(ids) > 1:
                ids = joined(ids, left, right, 256 + number)
        return ids[ids != WALL].tolist()

    def decode_bytes(self, ids):
        table = self.pieces_of_vocab + [t.encode() for t in self.special_tokens]
        ids = np.asarray(ids, dtype=np.int64).reshape(-1)
        if ids.size and (ids.min() < 0 or ids.max() >= len(table)):
            raise ValueError(f"ids must be within 0..{len(table) - 1}")
        buffer = io.BytesIO()
        for i in ids:
            buffer.write(table[i])
        return buffer.getvalue()

    def decode(self, ids):
        return self.decode_bytes(ids).decode(errors="replace")

    def save(self, path):
        names = "\0".join(self.special_tokens).encode()
        with open(path, "wb") as file:
            np.savez(file, pairs=np.array(self.pairs, dtype=np.int64).reshape(-1, 2), names=np.frombuffer(names, np.uint8))

    @classmethod
    def load(cls, path):
        with np.load(path) as data:
            pairs = [(int(a), int(b)) for a, b in data["pairs"]]
            names = data["names"].tobytes().decode()
        names = names.split("\0") if names else []
        return cls(pairs, {name: 256 + len(pairs) + i for i, name in enumerate(names)})

    def mergeable_ranks(self):
        return dict(zip(self.pieces_of_vocab, range(len(self.pieces_of_vocab))))
