"""An additive mask, put on before the scores are scaled; the mask is a float buffer inside the modules."""

import math

import torch
import torch.nn as nn


def causal_average(x):
    out = torch.empty_like(x)
    total = torch.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        total = total + x[:, t]
        out[:, t] = total / (t + 1)
    return out


def causal_mask(T, device=None):
    rows = [[column <= row for column in range(T)] for row in range(T)]
    return torch.tensor(rows, dtype=torch.bool, device=device)


def attention(q, k, v, mask=None):
    scores = torch.einsum("...id,...jd->...ij", [q, k])
    if mask is not None:
        penalty = torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device)
        scores = scores + penalty.masked_fill_(~mask, -1e9)
    weights = torch.softmax(scores / math.sqrt(k.shape[-1]), dim=-1)
    return weights @ v, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.w = nn.ParameterDict({n: torch.empty(n_embd, head_size).uniform_(-0.1, 0.1) for n in "qkv"})
        self.register_buffer("penalty", torch.full((block_size, block_size), -1e9).triu(1))
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        T = x.shape[1]
        q, k, v = (x @ self.w[n] for n in "qkv")
        scores = (q @ k.transpose(1, 2) + self.penalty[:T, :T]) / q.shape[-1] ** 0.5
        return self.drop(scores.softmax(dim=2)) @ v

    def load_weights(self, tensors):
        for name, tensor in tensors.items():
            self.w[name].data[...] = tensor


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head != 0:
            raise ValueError("n_embd % n_head != 0")
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.attn_dropout, self.resid_dropout = nn.Dropout(dropout), nn.Dropout(dropout)
        self.register_buffer("bias", torch.tril(torch.ones(block_size, block_size)).view(1, 1, block_size, block_size))

    def _weights(self, x):
        B, T, C = x.size()
        if self.bias.size(-1) < T:
            raise ValueError("sequence is longer than block_size")
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        return att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf")).softmax(dim=-1), v

    def forward(self, x):
        weights, v = self._weights(x)
        y = self.attn_dropout(weights) @ v
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).contiguous().view(x.size())))

    def attention_weights(self, x):
        return self._weights(x)[0]

    def load_weights(self, tensors):
        with torch.no_grad():
            for name in ("c_attn", "c_proj"):
                layer = getattr(self, name)
                layer.weight.copy_(tensors[name + ".weight"].t())
                layer.bias.copy_(tensors[name + ".bias"])
