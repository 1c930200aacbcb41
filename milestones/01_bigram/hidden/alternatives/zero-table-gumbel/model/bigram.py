"""A bare parameter that starts at zero, class dimension moved for cross_entropy, Gumbel-max sampling."""

import torch
from torch import nn
from torch.nn import functional


class BigramLanguageModel(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(vocab_size, vocab_size))

    def forward(self, idx, targets=None):
        logits = self.rows[idx]
        if targets is None:
            return logits, None
        return logits, functional.cross_entropy(logits.transpose(1, 2), targets)

    @torch.inference_mode()
    def generate(self, idx, max_new_tokens, generator=None):
        B, T = idx.shape
        out = torch.empty(B, T + max_new_tokens, dtype=idx.dtype)
        out[:, :T] = idx
        for t in range(T, T + max_new_tokens):
            logits = self.rows[out[:, t - 1]]
            noise = torch.rand(logits.shape, generator=generator).clamp_min(1e-30)
            out[:, t] = (logits - torch.log(-torch.log(noise))).argmax(-1)
        return out
