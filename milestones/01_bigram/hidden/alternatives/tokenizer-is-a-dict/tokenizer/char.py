"""The tokenizer is itself a dict from characters to ids, the commonest first."""

from collections import Counter


class UnknownCharacter(ValueError):
    def __init__(self, text, where):
        super().__init__(f"U+{ord(text[where]):04X} (character {where + 1} of the text) has no id")


class CharTokenizer(dict):
    @classmethod
    def from_text(cls, text):
        common = sorted(Counter(text).items(), key=lambda pair: (-pair[1], pair[0]))
        return cls((character, i) for i, (character, _) in enumerate(common))

    vocab_size = property(dict.__len__)

    def encode(self, text):
        ids = [*map(self.get, text)]
        if None in ids:
            raise UnknownCharacter(text, ids.index(None))
        return ids

    def decode(self, ids):
        inverse = tuple(self)
        out = []
        for i in map(int, ids):
            if i not in range(len(inverse)):
                raise ValueError(f"{i}?")
            out += inverse[i]
        return "".join(out)
