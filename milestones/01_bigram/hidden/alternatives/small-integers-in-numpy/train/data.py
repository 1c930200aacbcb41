"""Ids kept as uint16 in numpy arrays; batches through sliding windows and a permutation-free draw by random numbers."""

import numpy as np
import torch

from tokenizer.char import CharTokenizer


def train_val_split(ids, val_fraction=0.1):
    boundary = round(len(ids) - len(ids) * val_fraction)
    return ids[:boundary], ids[boundary:]


class TextDataset:
    @classmethod
    def from_text(cls, text, val_fraction=0.1):
        self = cls()
        self.tokenizer = CharTokenizer.from_text(text)
        ids = np.array(self.tokenizer.encode(text), dtype=np.uint16)
        self.train, self.val = train_val_split(ids, val_fraction)
        return self


def get_batch(ids, batch_size, block_size, generator=None):
    ids = np.asarray(ids)
    count = len(ids) - block_size
    if count <= 0:
        raise ValueError(f"need more than {block_size} ids, got {len(ids)}")
    windows = np.lib.stride_tricks.sliding_window_view(ids.astype(np.int64), block_size + 1)
    picked = (torch.rand(batch_size, generator=generator, dtype=torch.float64) * count).long().numpy()
    chosen = torch.from_numpy(windows[picked].copy())
    return chosen[:, :-1].contiguous(), chosen[:, 1:].contiguous()
