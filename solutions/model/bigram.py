"""The bigram model: the next character's distribution depends on the current character alone."""

import torch
import torch.nn.functional as F
from torch import nn


class BigramLanguageModel(nn.Module):
    """A table of logits, one row per current token."""

    def __init__(self, vocab_size: int):
        super().__init__()
        ### BEGIN SOLUTION
        self.table = nn.Embedding(vocab_size, vocab_size)
        ### END SOLUTION

    def forward(self, idx, targets=None):
        """idx, targets: int64 (B, T). Returns (logits, loss).

        logits: (B, T, V), before any softmax. loss: mean cross-entropy over B * T positions in nats; None without
        targets.
        """
        ### BEGIN SOLUTION
        logits = self.table(idx)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        ### END SOLUTION

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, generator=None):
        """Continues each row of idx (B, T): returns int64 (B, T + max_new_tokens), sampled from softmax(logits)."""
        ### BEGIN SOLUTION
        for _ in range(max_new_tokens):
            logits, _ = self(idx[:, -1:])
            probabilities = logits[:, -1].softmax(-1)
            idx = torch.cat([idx, torch.multinomial(probabilities, 1, generator=generator)], dim=1)
        return idx
        ### END SOLUTION
