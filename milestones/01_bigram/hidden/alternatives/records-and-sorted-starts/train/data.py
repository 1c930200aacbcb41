"""The dataset is a named tuple; starts come sorted, for the disk's sake, from a numpy generator."""

from typing import NamedTuple

import numpy as np
import torch

from tokenizer.char import CharTokenizer


def train_val_split(ids, val_fraction=0.1):
    n_train = round(len(ids) * (1 - val_fraction))
    return [ids[:n_train], ids[n_train:]]


class TextDataset(NamedTuple):
    tokenizer: CharTokenizer
    train: torch.Tensor
    val: torch.Tensor

    @classmethod
    def from_text(cls, text, val_fraction=0.1):
        tokenizer = CharTokenizer.from_text(text)
        ids = torch.tensor(tokenizer.encode(text))
        return cls(tokenizer, *train_val_split(ids, val_fraction))


def get_batch(ids, batch_size, block_size, generator=None):
    last = len(ids) - block_size - 1
    if last < 0:
        raise ValueError("the text is shorter than one window and its target")
    seed = torch.randint(2**62, (), generator=generator).item()
    starts = np.sort(np.random.default_rng(seed).integers(0, last, size=batch_size, endpoint=True))
    x = torch.empty(batch_size, block_size, dtype=torch.int64)
    y = torch.empty_like(x)
    for row, start in enumerate(starts.tolist()):
        x[row] = ids.narrow(0, start, block_size)
        y[row] = ids.narrow(0, start + 1, block_size)
    return x, y
