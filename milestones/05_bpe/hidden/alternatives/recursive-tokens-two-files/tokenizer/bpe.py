"""A token is a byte or a pair of tokens, spelled out when needed; save writes a folder of two files."""

from collections import Counter
from pathlib import Path

import regex

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def spell(tree):
    return bytes([tree]) if isinstance(tree, int) else spell(tree[0]) + spell(tree[1])


def merge(word, pair):
    """From the left, with an iterator that remembers one token."""
    held = None
    for token in word:
        if held is not None and (held, token) == pair:
            yield pair
            held = None
            continue
        if held is not None:
            yield held
        held = token
    if held is not None:
        yield held


class BPETokenizer:
    def __init__(self):
        self._trees = []
        self._names = []
        self._frozen = None

    # what the outside sees is worked out from the two lists
    @property
    def merges(self):
        return [(spell(left), spell(right)) for left, right in self._trees]

    @property
    def special_tokens(self):
        return {name: i for i, name in enumerate(self._names, start=256 + len(self._trees))}

    @property
    def vocab_size(self):
        return 256 + len(self._trees) + len(self._names)

    def mergeable_ranks(self):
        ranks = {bytes([b]): b for b in range(256)}
        ranks.update((spell(tree), 256 + i) for i, tree in enumerate(self._trees))
        return ranks

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        self = cls()
        self._names = list(special_tokens)
        if self.vocab_size > vocab_size:
            raise ValueError("too small a vocabulary")
        pieces = Counter(match[0] for match in regex.finditer(PATTERN, text))
        words = [(list(piece.encode("utf-8")), n) for piece, n in pieces.items()]
        stats, index = Counter(), {}
        for position, (word, n) in enumerate(words):
            for pair in zip(word, word[1:]):
                stats[pair] += n
                index.setdefault(pair, {})[position] = True
        while self.vocab_size < vocab_size:
            stats = +stats  # drops what has fallen to zero
            if not stats:
                return self
            [(pair, _)] = stats.most_common(1)
            self._trees.append(pair)
            for position in index.pop(pair):
                word, n = words[position]
                new = list(merge(word, pair))
                stats.subtract({p: k * n for p, k in Counter(zip(word, word[1:])).items()})
                stats.update({p: k * n for p, k in Counter(zip(new, new[1:])).items()})
                for p in zip(new, new[1:]):
                    index.setdefault(p, {})[position] = True
                words[position] = new, n
        return self

    def encode(self, text, allowed_special=frozenset()):
        if self._frozen is None:
            self._frozen = {tree: i for i, tree in enumerate(self._trees, start=256)}, self.special_tokens
        numbers, special = self._frozen
        wanted = sorted(set(allowed_special) & special.keys(), key=lambda name: (-len(name), name))
        cutter = regex.compile("|".join(map(regex.escape, wanted))) if wanted else None
        ids = []
        while text:
            found = cutter.search(text) if cutter else None
            head, text = (text[: found.start()], text[found.end() :]) if found else (text, "")
            for piece in regex.findall(PATTERN, head):
                word = list(piece.encode())
                while len(word) > 1:
                    best = min(zip(word, word[1:]), key=lambda pair: numbers.get(pair, 1 << 60))
                    if best not in numbers:
                        break
                    word = list(merge(word, best))
                ids += [token if isinstance(token, int) else numbers[token] for token in word]
            if found:
                ids.append(special[found[0]])
        return ids

    def decode_bytes(self, ids):
        def one(i):
            if i < 0 or i >= self.vocab_size:
                raise ValueError(f"no token {i}")
            if i < 256:
                return bytes([i])
            i -= 256
            return spell(self._trees[i]) if i < len(self._trees) else self._names[i - len(self._trees)].encode()

        return b"".join(one(int(i)) for i in ids)

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def save(self, path):
        folder = Path(path)
        folder.mkdir()
        numbers = {tree: i for i, tree in enumerate(self._trees, start=256)}
        rows = [" ".join(str(t if isinstance(t, int) else numbers[t]) for t in tree) for tree in self._trees]
        (folder / "merges.txt").write_text("\n".join(rows))
        (folder / "special.txt").write_text("\n".join(name.encode("unicode_escape").decode() for name in self._names))

    @classmethod
    def load(cls, path):
        self = cls()
        trees = list(range(256))
        for row in (Path(path) / "merges.txt").read_text().splitlines():
            left, right = map(int, row.split())
            self._trees.append((trees[left], trees[right]))
            trees.append(self._trees[-1])
        names = (Path(path) / "special.txt").read_text().splitlines()
        self._names = [name.encode().decode("unicode_escape") for name in names]
        return self
