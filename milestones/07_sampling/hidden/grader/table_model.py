"""The table model: its logits after a context are a sum with one term for each token at its position.

    logits at position t of the context = tables[mode][0, idx[0]] + ... + tables[mode][t, idx[t]]

So every token of the context and its position matter. The model stays on this side; the submission holds the stub of
that name (milestones/hidden/instruments/), which asks. What was asked is counted here.
"""

import torch
import torch.nn.functional as F

from autograder.grading.lent import Refused

MAX_CACHES = 1000
MAX_LOGITS = 1 << 21  # of one answer


class TableModel:
    """tables: (1 or 4, block_size, V, V); the second of 4 is used in training mode, the last two with gradients on.

    With `sharp`, the largest logit becomes `sharp` and the others 0: what is drawn is then as good as certain.
    """

    answers = frozenset({"logits", "new_cache"})

    def __init__(self, tables, sharp=None):
        self.tables = tables
        self.sharp = sharp
        self.calls = 0
        self.columns = 0
        self.caches = []  # of each: how many tokens it holds, and the sum of their table entries (B, 1, V)

    def new_cache(self, batch_size):
        """The number of a new cache: what is fed twice, or not at all, or after another prompt, changes its logits."""
        if not 0 <= batch_size <= MAX_CACHES or len(self.caches) >= MAX_CACHES:
            raise Refused("nobody needs so many caches")
        self.caches.append((0, torch.zeros(batch_size, 1, 1, dtype=self.tables.dtype)))
        return len(self.caches) - 1

    def logits(self, idx, training, grad, cache):
        """idx (B, T), after what the cache of that number holds, if there is one -> logits (B, T, V)."""
        start, before = (0, 0) if cache is None else self.caches[cache]
        end = start + idx.shape[1]
        if end > self.tables.shape[1] or idx.numel() * self.tables.shape[-1] > MAX_LOGITS:
            raise Refused(f"{idx.shape[0]} rows of {end} positions are too many")
        self.calls += 1
        self.columns += idx.shape[1]
        mode = bool(training) + 2 * bool(grad) if len(self.tables) > 1 else 0
        total = before + self.tables[mode][torch.arange(start, end), idx].cumsum(dim=1)
        if cache is not None:
            self.caches[cache] = end, total[:, -1:]
        if self.sharp is None:
            return total
        return self.sharp * F.one_hot(total.argmax(dim=-1), total.shape[-1]).to(total.dtype)
