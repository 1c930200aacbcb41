"""The modules themselves remember keys and values; what new_cache returns only says: use them."""

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
        self.past = None  # (k, v) of the current text, while a cache is in use

    def qkv(self, x):
        B, T, _ = x.shape
        return self.c_attn(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)

    def forget(self):
        self.past = None

    def forward(self, x, cache=None):
        q, k, v = self.qkv(x)
        T = x.shape[1]
        if cache is not None:
            if self.past is not None:
                k = torch.cat((self.past[0], k), dim=-2)
                v = torch.cat((self.past[1], v), dim=-2)
            self.past = k.detach(), v.detach()
        S = k.shape[-2]
        if S > self.block_size:
            raise ValueError(f"{S} positions, but block_size is {self.block_size}")
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        future = torch.ones(T, S, dtype=torch.bool, device=x.device).triu(S - T + 1)
        weights = F.softmax(scores.masked_fill(future, -torch.inf), dim=-1)
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
