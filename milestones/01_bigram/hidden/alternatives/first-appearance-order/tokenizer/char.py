"""Ids in the order of first appearance; the reverse table is a dict, too."""


class CharTokenizer:
    def __init__(self, to_id):
        self.to_id = to_id
        self.to_character = {i: character for character, i in to_id.items()}
        self.vocab_size = len(to_id)

    @classmethod
    def from_text(cls, text):
        return cls({character: i for i, character in enumerate(dict.fromkeys(text))})

    def encode(self, text):
        out = []
        for position, character in enumerate(text):
            try:
                out.append(self.to_id[character])
            except KeyError:
                raise ValueError(f"{character!r} (at {position}) is not in the vocabulary") from None
        return out

    def decode(self, ids):
        letters = []
        for i in ids:
            if int(i) not in self.to_character:
                raise ValueError(f"no character has the id {int(i)}")
            letters.append(self.to_character[int(i)])
        return "".join(letters)
