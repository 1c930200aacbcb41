"""Pieces are cut by hand from Unicode categories; saved as GPT-2 does, in files beside the path that was given."""

import heapq
import json
import os
import unicodedata

SPACES = {0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, *range(9, 14), *range(0x2000, 0x200B)}
ENDINGS = ("'s", "'d", "'m", "'t", "'ll", "'ve", "'re")


def kind(character):
    if ord(character) in SPACES:
        return "space"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "N": "number"}.get(category, "sign")


def cut(text):
    """GPT-2's pattern, spelled out."""
    kinds = [kind(character) for character in text]
    pieces, i = [], 0
    while i < len(text):
        ending = next((e for e in ENDINGS if text.startswith(e, i)), None)
        if ending:
            pieces.append(ending)
            i += len(ending)
            continue
        j = i + 1 if text[i] == " " and i + 1 < len(text) and kinds[i + 1] != "space" else i
        end = j
        while end < len(text) and kinds[end] == kinds[j]:
            end += 1
        if kinds[j] == "space" and end < len(text) and end - j > 1:
            end -= 1  # the last one of several belongs to what follows
        pieces.append(text[i:end])
        i = end
    return pieces


class BPETokenizer:
    def __init__(self, merges, special):
        self.merges = merges
        self.special_tokens = special
        self._vocab = [bytes((b,)) for b in range(256)] + [a + b for a, b in merges]
        self._rank = {pair: n for n, pair in enumerate(merges)}
        self._id = {token: n for n, token in enumerate(self._vocab)}
        self._text_of = {n: token.encode() for token, n in special.items()}
        self.vocab_size = len(self._vocab) + len(special)

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        budget = vocab_size - 256 - len(special_tokens)
        if budget < 0:
            raise ValueError(f"vocab_size={vocab_size} leaves {budget} merges")
        words, index, total = [], {}, {}
        number = {}
        for piece in cut(text):
            data = piece.encode()
            if data not in number:
                number[data] = len(words)
                words.append([[bytes((b,)) for b in data], 0])
            words[number[data]][1] += 1

        def tally(w, sign):
            tokens, times = words[w]
            changed = set()
            for pair in zip(tokens, tokens[1:]):
                total[pair] = total.get(pair, 0) + sign * times
                index.setdefault(pair, set()).add(w)
                changed.add(pair)
            return changed

        for w in range(len(words)):
            tally(w, +1)
        queue = [(-n, pair) for pair, n in total.items()]
        heapq.heapify(queue)
        merges = []
        while queue and len(merges) < budget:
            n, pair = heapq.heappop(queue)
            if total.get(pair, 0) != -n or n == 0:
                continue
            merges.append(pair)
            changed = set()
            for w in index[pair].copy():
                if pair not in zip(words[w][0], words[w][0][1:]):
                    continue
                changed |= tally(w, -1)
                words[w][0] = glue(words[w][0], *pair)
                changed |= tally(w, +1)
            for other in changed:
                if total[other] > 0:
                    heapq.heappush(queue, (-total[other], other))
        start = 256 + len(merges)
        return cls(merges, {token: start + n for n, token in enumerate(special_tokens)})

    def encode(self, text, allowed_special=frozenset()):
        tokens = [t for t in self.special_tokens if t in allowed_special]
        tokens.sort(key=len)
        return list(self._encode(text, tokens))

    def _encode(self, text, tokens):
        if not tokens:
            for piece in cut(text):
                yield from self._encode_piece(piece.encode())
            return
        *shorter, longest = tokens
        for n, part in enumerate(text.split(longest)):
            if n:
                yield self.special_tokens[longest]
            yield from self._encode(part, shorter)

    def _encode_piece(self, data):
        tokens = [bytes((b,)) for b in data]
        while True:
            ranks = {self._rank[pair] for pair in zip(tokens, tokens[1:]) if pair in self._rank}
            if not ranks:
                return [self._id[token] for token in tokens]
            tokens = glue(tokens, *self.merges[min(ranks)])

    def decode_bytes(self, ids):
        out = []
        for i in ids:
            i = int(i)
            if 0 <= i < len(self._vocab):
                out.append(self._vocab[i])
            elif i in self._text_of:
                out.append(self._text_of[i])
            else:
                raise ValueError(f"{i} is not an id of this vocabulary of {self.vocab_size}")
        return b"".join(out)

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path):
        stem = os.path.splitext(path)[0]
        with open(stem + "-vocab.json", "w") as file:
            json.dump({token.decode("latin-1"): n for n, token in enumerate(self._vocab)}, file)
        with open(stem + "-merges.json", "w") as file:
            json.dump([[a.decode("latin-1"), b.decode("latin-1")] for a, b in self.merges], file)
        with open(stem + "-special.json", "w") as file:
            json.dump(self.special_tokens, file)

    @classmethod
    def load(cls, path):
        stem = os.path.splitext(path)[0]
        with open(stem + "-merges.json") as merges, open(stem + "-special.json") as special:
            pairs = [(a.encode("latin-1"), b.encode("latin-1")) for a, b in json.load(merges)]
            return cls(pairs, json.load(special))

    def mergeable_ranks(self):
        return dict(self._id)


def glue(tokens, left, right):
    """Walks from token to token with index(), from one `left` to the next."""
    out, start = [], 0
    while True:
        try:
            at = tokens.index(left, start)
        except ValueError:
            return out + tokens[start:]
        out += tokens[start:at]
        if at + 1 < len(tokens) and tokens[at + 1] == right:
            out.append(left + right)
            start = at + 2
        else:
            out.append(left)
            start = at + 1
