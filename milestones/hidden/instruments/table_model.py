"""A model that asks the check for its logits: the tables behind them, and the count of what was asked, stay there.

It holds sizes and modes alone.
"""

from types import SimpleNamespace

import line
import torch
from torch import nn


class TableModel(nn.Module):
    """number: of the lent table model, which answers `logits` and `new_cache`."""

    def __init__(self, number, block_size, vocab_size, dtype):
        super().__init__()
        self.number = number
        self.config = SimpleNamespace(block_size=block_size, vocab_size=vocab_size)
        self.anchor = nn.Parameter(torch.zeros((), dtype=getattr(torch, dtype)))  # the model's device and dtype
        self.inner = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(2, 3)
        )  # dropout sits in submodules: their modes count, too

    def forward(self, idx, targets=None, cache=None):
        start = 0 if cache is None else cache.length
        end = start + idx.shape[1]
        if end > self.config.block_size:
            raise ValueError(f"{end} positions do not fit: block_size is {self.config.block_size}")
        if idx.shape[1] == 0:
            raise ValueError("the model was called with no token at all")
        # What can't be looked up raises here, as it would in a model that has its tables.
        torch.zeros(end, self.config.vocab_size)[torch.arange(start, end, device=idx.device), idx]
        training = any(module.training for module in self.modules())
        held = None if cache is None else cache.number
        logits = line.ask(self.number, "logits", idx, training, torch.is_grad_enabled(), held)
        if cache is not None:
            cache.length = end
        return logits + 0 * self.anchor, None


class CachingTableModel(TableModel):
    def new_cache(self, batch_size):
        return SimpleNamespace(length=0, number=line.ask(self.number, "new_cache", batch_size))


def make(number, block_size, vocab_size, dtype, caching=False):
    return (CachingTableModel if caching else TableModel)(number, block_size, vocab_size, dtype)
