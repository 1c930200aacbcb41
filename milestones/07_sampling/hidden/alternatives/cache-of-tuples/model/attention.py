"""The cache is a plain list with one (k, v) tuple for each layer, replaced at every call; explicit attention."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def causal_average(x):
    T = x.shape[1]
    return x.cumsum(dim=1) / torch.arange(1, T + 1, device=x.device, dtype=x.dtype)[:, None]


def causal_mask(T, device=None):
    places = torch.arange(T, device=device)
    return places[None, :] <= places[:, None]


def attention(q, k, v, mask=None):
    scores = torch.einsum("...td,...sd->...ts", q, k) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.qkv = nn.Linear(n_embd, 3 * head_size, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        _, weights = attention(q, k, v, causal_mask(x.shape[1], x.device))
        return self.dropout(weights) @ v

    def load_weights(self, tensors):
        with torch.no_grad():
            self.qkv.weight.copy_(torch.cat([tensors["q"], tensors["k"], tensors["v"]], dim=1).T)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head:
            raise ValueError(f"{n_head} heads don't divide {n_embd} channels")
        self.n_head, self.block_size = n_head, block_size
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.drop_weights, self.drop_result = nn.Dropout(dropout), nn.Dropout(dropout)

    def qkv(self, x):
        B, T, _ = x.shape
        return self.c_attn(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)

    def forward(self, x, cache=None):
        """cache: None, or a one-element list that holds None or (k, v)."""
        q, k, v = self.qkv(x)
        if cache is not None:
            if cache[0] is not None:
                k, v = (torch.cat(pair, dim=2) for pair in zip(cache[0], (k, v), strict=True))
            cache[0] = (k, v)
        T, S = q.shape[2], k.shape[2]
        if S > self.block_size:
            raise ValueError(f"{S} positions, but block_size is {self.block_size}")
        where = torch.arange(S - T, S, device=x.device)[:, None]  # the queries' positions
        _, weights = attention(q, k, v, torch.arange(S, device=x.device)[None] <= where)
        out = self.drop_weights(weights) @ v
        return self.drop_result(self.c_proj(out.transpose(1, 2).flatten(2)))

    def attention_weights(self, x):
        q, k, _ = self.qkv(x)
        return attention(q, k, k, causal_mask(x.shape[1], x.device))[1]

    def load_weights(self, tensors):
        with torch.no_grad():
            for name in ("c_attn", "c_proj"):
                getattr(self, name).weight.copy_(tensors[f"{name}.weight"].T)
                getattr(self, name).bias.copy_(tensors[f"{name}.bias"])
