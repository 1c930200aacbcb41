"""Masks kept in a dictionary by length and device; query and key attributes named the other way round."""

import functools

import torch
from torch import nn

_masks = {}


def causal_average(x):
    return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)[:, None]


@functools.cache
def _lower(T):
    return torch.ones(T, T).tril().to(torch.bool)


def causal_mask(T, device=None):
    if (T, device) not in _masks:
        _masks[T, device] = _lower(T).to(device) if device is not None else _lower(T)
    return _masks[T, device]


def attention(q, k, v, mask=None):
    scores = (k @ q.transpose(-2, -1)).transpose(-2, -1).mul(q.shape[-1] ** -0.5)
    if mask is not None:
        scores = scores.where(mask, -torch.inf)
    top = scores.amax(dim=-1, keepdim=True)
    powers = (scores - top).exp()
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return weights @ v, weights


class Head(nn.Module):
    """`key` asks and `query` answers here: only the names are exchanged, and load_weights knows it."""

    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        v = self.value(x)
        _, weights = attention(self.key(x), self.query(x), v, causal_mask(x.shape[1]))
        return self.dropout(weights @ self.dropout(v))

    def load_weights(self, tensors):
        with torch.no_grad():
            self.key.weight.copy_(tensors["q"].T)
            self.query.weight.copy_(tensors["k"].T)
            self.value.weight.copy_(tensors["v"].T)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head:
            raise ValueError(f"{n_head} heads do not divide {n_embd} channels")
        self.n_head, self.block_size = n_head, block_size
        self.key, self.query, self.value, self.proj = (nn.Linear(n_embd, n_embd) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def _cut(self, y):
        return torch.stack(y.chunk(self.n_head, dim=-1), dim=1)

    def _attend(self, x):
        if x.shape[1] > self.block_size:
            raise ValueError(f"block_size is {self.block_size}")
        asks, answers, gives = (self._cut(layer(x)) for layer in (self.key, self.query, self.value))
        return attention(asks, answers, gives, causal_mask(x.shape[1]))

    def forward(self, x):
        out, _ = self._attend(x)
        return self.dropout(self.proj(torch.cat(out.unbind(dim=1), dim=-1)))

    def attention_weights(self, x):
        return self._attend(x)[1]

    def load_weights(self, tensors):
        names = (self.key, self.query, self.value)
        parts = zip(names, tensors["c_attn.weight"].chunk(3, 1), tensors["c_attn.bias"].chunk(3), strict=True)
        with torch.no_grad():
            for layer, matrix, bias in (*parts, (self.proj, tensors["c_proj.weight"], tensors["c_proj.bias"])):
                layer.weight.copy_(matrix.T)
                layer.bias.copy_(bias)
