"""A list of V parameters, one row each; softmax and loss written out with loops over rows."""

import torch
from torch import nn


class BigramLanguageModel(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.rows = nn.ParameterList([nn.Parameter(torch.randn(vocab_size)) for _ in range(vocab_size)])

    def forward(self, idx, targets=None):
        table = torch.stack(list(self.rows))
        logits = torch.stack([torch.stack([table[i] for i in row]) for row in idx])
        if targets is None:
            return logits, None
        probabilities = logits.exp() / logits.exp().sum(dim=2, keepdim=True)
        losses = [-probabilities[b, t, targets[b, t]].log() for b in range(len(idx)) for t in range(idx.shape[1])]
        return logits, sum(losses) / len(losses)

    def generate(self, idx, max_new_tokens, generator=None):
        table = torch.stack(list(self.rows)).detach()
        rows = []
        for row in idx:
            row = row.tolist()
            for _ in range(max_new_tokens):
                p = torch.softmax(table[row[-1]], 0)
                row.append(int(torch.multinomial(p, 1, generator=generator)))
            rows.append(row)
        return torch.tensor(rows, dtype=torch.int64)
