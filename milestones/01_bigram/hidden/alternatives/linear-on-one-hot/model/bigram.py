"""The table as a Linear layer on one-hot vectors, loss by log_softmax and gather."""

import torch
from torch import nn


class BigramLanguageModel(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.layer = nn.Linear(vocab_size, vocab_size)

    def forward(self, idx, targets=None):
        one_hot = nn.functional.one_hot(idx, self.vocab_size).to(self.layer.weight.dtype)
        logits = self.layer(one_hot)
        loss = None
        if targets is not None:
            loss = -torch.log_softmax(logits, dim=-1).gather(-1, targets.unsqueeze(-1)).mean()
        return logits, loss

    def generate(self, idx, max_new_tokens, generator=None):
        with torch.no_grad():
            for _ in range(max_new_tokens):
                logits = self(idx)[0][:, -1, :]
                cumulative = torch.softmax(logits, dim=-1).cumsum(-1)
                u = torch.rand(len(idx), 1, generator=generator) * cumulative[:, -1:]
                new = (cumulative <= u).sum(-1, keepdim=True).clamp(max=self.vocab_size - 1)
                idx = torch.cat((idx, new), dim=-1)
        return idx
