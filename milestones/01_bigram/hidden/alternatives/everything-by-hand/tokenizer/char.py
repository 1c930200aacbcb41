"""Lists and loops only."""


class CharTokenizer:
    def __init__(self):
        self.letters = []

    @classmethod
    def from_text(cls, text):
        tokenizer = cls()
        for letter in text:
            if letter not in tokenizer.letters:
                tokenizer.letters.append(letter)
        tokenizer.letters.sort(reverse=True)
        return tokenizer

    @property
    def vocab_size(self):
        return len(self.letters)

    def encode(self, text):
        ids = []
        for where, letter in enumerate(text):
            if letter not in self.letters:
                raise ValueError("I do not know " + letter + ", which is character number " + str(where))
            ids.append(self.letters.index(letter))
        return ids

    def decode(self, ids):
        text = ""
        for i in ids:
            if i < 0 or i > len(self.letters) - 1:
                raise ValueError("There is no letter number " + str(i))
            text += self.letters[i]
        return text
