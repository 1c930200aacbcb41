"""Slices stacked one by one, as in many lectures; torch.split for the cut."""

import torch

from tokenizer.char import CharTokenizer


def train_val_split(ids, val_fraction=0.1):
    n_val = int(len(ids) * val_fraction)
    train, val = torch.split(torch.as_tensor(ids), [len(ids) - n_val, n_val])
    return train, val


class TextDataset:
    def __init__(self, tokenizer, train, val):
        self.tokenizer, self.train, self.val = tokenizer, train, val

    @classmethod
    def from_text(cls, text, val_fraction=0.1):
        tokenizer = CharTokenizer.from_text(text)
        data = torch.tensor(tokenizer.encode(text), dtype=torch.long)
        return cls(tokenizer, *train_val_split(data, val_fraction))


def get_batch(ids, batch_size, block_size, generator=None):
    if len(ids) < block_size + 1:
        raise ValueError("not enough ids")
    ix = torch.randint(0, len(ids) - block_size, (batch_size,), generator=generator)
    x = torch.stack([ids[i : i + block_size] for i in ix])
    y = torch.stack([ids[i + 1 : i + block_size + 1] for i in ix])
    return x.long(), y.long()
