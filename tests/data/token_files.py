"""What the tests of token files share: a learner's byte-pair encoding, and one whose ids a wrong cut changes."""

from pathlib import Path

import tiktoken

from data import tokenizers

# A workspace's tokenizer/bpe.py: the contract of rung 5 as a learner may have written it.
BPE = """
import json
import re

PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\\W\\d_]+| ?\\d+| ?(?:[^\\s\\w]|_)+|\\s+(?!\\S)|\\s+")


class BPETokenizer:
    def __init__(self, merges, special_tokens):
        self.merges = merges
        self.special_tokens = special_tokens
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.bytes = [bytes([i]) for i in range(256)] + [a + b for a, b in merges]
        self.ids = {token: i for i, token in enumerate(self.bytes)}
        self.vocab_size = len(self.bytes) + len(special_tokens)

    def encode(self, text, allowed_special=frozenset()):
        ids = []
        for word in PATTERN.findall(text):
            parts = [bytes([b]) for b in word.encode()]
            while True:
                pairs = [(self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:]))]
                if not pairs or min(pairs)[0] == 1 << 30:
                    break
                i = min(pairs)[1]
                parts[i : i + 2] = [parts[i] + parts[i + 1]]
            ids += [self.ids[part] for part in parts]
        return ids

    def decode(self, ids):
        return b"".join(self.bytes[i] for i in ids).decode(errors="replace")

    def mergeable_ranks(self):
        return {token: i for i, token in enumerate(self.bytes)}

    @classmethod
    def load(cls, path):
        saved = json.loads(open(path).read())
        return cls([tuple(part.encode() for part in pair) for pair in saved], {"<|end|>": 256 + len(saved)})
"""
MERGES = [["t", "h"], ["th", "e"], [" ", "the"], ["e", "r"], ["i", "n"], ["in", "g"], [" ", "w"], [":", "\n"]]

BYTES_AND_BLANKS = tiktoken.Encoding(
    "test",
    pat_str=tokenizers.GPT2_PATTERN,
    # Merges over every kind of blank, so that an id changes wherever a cut joins or parts what it must not.
    mergeable_ranks={bytes([i]): i for i in range(256)}
    | {
        pair: 256 + i
        for i, pair in enumerate((b"\n\n", b"  ", b" \n", b"\n ", b"aa", b" a", b"..", b".\n", b"'s", b"11"))
    },
    special_tokens={},
)


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
