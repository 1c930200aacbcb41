"""The bigram model: the next character's distribution depends on the current character alone.

Shannon (1948), section 3, calls text from such a model a second-order approximation to English. The loss is the
cross-entropy -ln p(next | current) in nats.
"""

import torch
import torch.nn.functional as F
from torch import nn


class BigramLanguageModel(nn.Module):
    """A table of logits, one row per current token."""

    def __init__(self, vocab_size: int):
        super().__init__()
        ### BEGIN SOLUTION
        self.table = nn.Embedding(vocab_size, vocab_size)  # row: current token, column: next token
        ### END SOLUTION

    def forward(
        self, idx: torch.Tensor, targets: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """idx, targets: int64 (B, T). Returns (logits, loss).

        logits: (B, T, V), before any softmax. loss: mean cross-entropy over B * T positions in nats; None without
        targets.
        """
        ### BEGIN SOLUTION
        logits = self.table(idx)  # (B, T, V)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        ### END SOLUTION

    @torch.no_grad()
    def generate(
        self, idx: torch.Tensor, max_new_tokens: int, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Continues each row of idx (B, T): returns int64 (B, T + max_new_tokens), sampled from softmax(logits)."""
        ### BEGIN SOLUTION
        for _ in range(max_new_tokens):
            logits, _ = self(idx[:, -1:])  # (B, 1, V): the last token is all that a bigram looks at
            probabilities = logits[:, -1].softmax(-1)  # (B, V)
            new = torch.multinomial(probabilities, 1, generator=generator)  # (B, 1)
            idx = torch.cat([idx, new], dim=1)
        return idx
        ### END SOLUTION
