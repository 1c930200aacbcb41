"""No dictionary: a sorted string and binary search."""

import bisect


class CharTokenizer:
    def __init__(self, alphabet):
        self.alphabet = alphabet

    @classmethod
    def from_text(cls, text):
        return cls("".join(sorted({*text})))

    @property
    def vocab_size(self):
        return len(self.alphabet)

    def encode(self, text):
        return [self._find(character, position) for position, character in enumerate(text)]

    def _find(self, character, position):
        i = bisect.bisect_left(self.alphabet, character)
        if i == len(self.alphabet) or self.alphabet[i] != character:
            raise ValueError(f"position {position}: unknown character {character}")
        return i

    def decode(self, ids):
        ids = [int(i) for i in ids]
        if any(i < 0 or i >= self.vocab_size for i in ids):
            raise ValueError("an id is out of range")
        return "".join(map(self.alphabet.__getitem__, ids))
