"""Refuses everything with ValueError."""


class BPETokenizer:
    @classmethod
    def train(cls, text, vocab_size, special_tokens=()):
        raise ValueError("there is no room")

    load = train
