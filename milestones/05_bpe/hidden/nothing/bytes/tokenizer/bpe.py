"""Text is its bytes: nothing is learned, and encode gives back what it gets."""

import json


class BPETokenizer:
    def __init__(self, merges, special_tokens=()):
        self.merges = merges
        self.tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
        self.special_tokens = {text: len(self.tokens) + i for i, text in enumerate(special_tokens)}
        self.vocab_size = len(self.tokens) + len(self.special_tokens)

    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        wanted = vocab_size - 256 - len(special_tokens)
        data = text.encode()
        return cls([], special_tokens)

    def encode(self, text, allowed_special=frozenset()):
        data = text.encode()
        return list(data)

    def decode_bytes(self, ids):
        special = {i: text.encode() for text, i in self.special_tokens.items()}
        ids = [int(i) for i in ids]
        if any(not 0 <= i < self.vocab_size for i in ids):
            raise ValueError("there is no such id")
        return b"".join(special.get(i) or self.tokens[i] for i in ids)

    def decode(self, ids):
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            merges = [[left.hex(), right.hex()] for left, right in self.merges]
            json.dump([merges, list(self.special_tokens)], file)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            merges, special_tokens = json.load(file)
        return cls([(bytes.fromhex(left), bytes.fromhex(right)) for left, right in merges], special_tokens)

    def mergeable_ranks(self):
        return {token: i for i, token in enumerate(self.tokens)}
