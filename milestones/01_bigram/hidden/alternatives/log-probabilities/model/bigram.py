"""forward returns normalised logits (log-probabilities), which are logits like any other; the table is transposed."""

import torch
from torch import nn


class BigramLanguageModel(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        columns = torch.empty(vocab_size, vocab_size)  # [next, current]
        self.columns = nn.Parameter(nn.init.normal_(columns, std=0.02))

    def forward(self, idx, targets=None):
        log_p = torch.log_softmax(self.columns, dim=0).T[idx]
        loss = nn.NLLLoss()(log_p.transpose(1, 2), targets) if targets is not None else None
        return log_p, loss

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, generator=None):
        cumulative = self.columns.double().softmax(0).T.cumsum(1)
        new = idx.new_empty(len(idx), max_new_tokens)
        current = idx[:, -1]
        for t in range(max_new_tokens):
            u = torch.rand(len(idx), 1, dtype=torch.float64, generator=generator) * cumulative[current, -1:]
            current = torch.searchsorted(cumulative[current], u, right=True).squeeze(1).clamp(max=len(cumulative) - 1)
            new[:, t] = current
        return torch.hstack([idx, new])
