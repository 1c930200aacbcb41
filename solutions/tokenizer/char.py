"""CharTokenizer: text to token ids and back, one character at a time."""

from collections.abc import Iterable

import torch


class CharTokenizer:
    """A vocabulary of single characters. Ids run from 0 to vocab_size - 1 and are the same in every process."""

    def __init__(self, characters: Iterable[str]):
        """characters: the vocabulary in the order of its ids, each character once."""
        ### BEGIN SOLUTION
        self.characters = list(characters)
        self.ids = {character: i for i, character in enumerate(self.characters)}
        ### END SOLUTION

    @classmethod
    def from_text(cls, text: str) -> "CharTokenizer":
        """The tokenizer of all characters in `text`. The same text gives the same ids in every process."""
        ### BEGIN SOLUTION
        return cls(sorted(set(text)))
        ### END SOLUTION

    @property
    def vocab_size(self) -> int:
        """How many characters there are."""
        ### BEGIN SOLUTION
        return len(self.characters)
        ### END SOLUTION

    def encode(self, text: str) -> list[int]:
        """One id per character. Raises ValueError that names the first unknown character and its position."""
        ### BEGIN SOLUTION
        for position, character in enumerate(text):
            if character not in self.ids:
                raise ValueError(f"unknown character {character!r} at position {position}")
        return [self.ids[character] for character in text]
        ### END SOLUTION

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """The text of a list or 1-D tensor of ids. Raises ValueError if an id is outside 0..vocab_size - 1."""
        ### BEGIN SOLUTION
        ids = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        for i in ids:
            if not 0 <= i < self.vocab_size:
                raise ValueError(f"id {i} is outside 0..{self.vocab_size - 1}")
        return "".join(self.characters[i] for i in ids)
        ### END SOLUTION
