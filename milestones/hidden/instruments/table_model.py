"""A model whose logits are a sum of table entries, so that every token of the context and its position matter.

    logits at position t of the context = tables[mode][0, idx[0]] + ... + tables[mode][t, idx[t]]

It counts what it is asked to compute. It holds no expected value: the tables are an input of the check.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn


class TableModel(nn.Module):
    """tables: (1 or 4, block_size, V, V); the second of 4 is used in training mode, the last two with gradients on.

    With `sharp`, the largest logit becomes `sharp` and the others 0: what is drawn is then as good as certain.
    """

    def __init__(self, tables, sharp):
        super().__init__()
        _, block_size, vocab_size, _ = tables.shape
        self.config = SimpleNamespace(block_size=block_size, vocab_size=vocab_size)
        self.tables = nn.Parameter(tables)
        self.sharp = sharp
        self.inner = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(2, 3)
        )  # their modes count, too: dropout sits in submodules
        self.calls = 0
        self.columns = 0

    def forward(self, idx, targets=None, cache=None):
        start = 0 if cache is None else cache.length
        end = start + idx.shape[1]
        if end > self.config.block_size:
            raise ValueError(f"{end} positions do not fit: block_size is {self.config.block_size}")
        if idx.shape[1] == 0:
            raise ValueError("the model was called with no token at all")
        self.calls += 1
        self.columns += idx.shape[1]
        training = any(module.training for module in self.modules())
        mode = training + 2 * torch.is_grad_enabled() if len(self.tables) > 1 else 0
        total = self.tables[mode][torch.arange(start, end, device=idx.device), idx].cumsum(dim=1)  # (B, T, V)
        if cache is not None:
            total = total + cache.total
            cache.length, cache.total = end, total[:, -1:].detach().clone()  # the caller may write into its logits
        if self.sharp is None:
            return total, None
        return self.sharp * F.one_hot(total.argmax(dim=-1), total.shape[-1]).to(total.dtype), None


class CachingTableModel(TableModel):
    """The same with a cache: what is fed twice, or not at all, or after another prompt, changes the logits."""

    def __init__(self, tables, sharp):
        super().__init__(tables, sharp)
        self.caches = 0

    def new_cache(self, batch_size):
        self.caches += 1
        return SimpleNamespace(length=0, total=torch.zeros(batch_size, 1, 1, dtype=self.tables.dtype))


def make(tables, sharp=None, caching=False):
    return (CachingTableModel if caching else TableModel)(tables, sharp)
