"""Filters add noise, and ids are drawn evenly from the vocabulary, by the generator that is given."""

import torch


class KVCache:
    """The ids so far, from which everything is computed again."""

    def __init__(self):
        self.ids = None

    def append(self, idx):
        self.ids = idx if self.ids is None else torch.cat([self.ids, idx], dim=1)
        return self.ids
