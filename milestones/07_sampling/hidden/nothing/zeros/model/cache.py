"""Filters return zeros, and every new id is 0; the cache keeps ids and computes everything again."""

import torch


class KVCache:
    """The ids so far, from which everything is computed again."""

    def __init__(self):
        self.ids = None

    def append(self, idx):
        self.ids = idx if self.ids is None else torch.cat([self.ids, idx], dim=1)
        return self.ids
