"""Softmax over everything, then the mask, then each row divided by what is left: equal to masking before."""

import torch
from torch import nn


def causal_average(x):
    return attention(torch.zeros_like(x), torch.zeros_like(x), x, causal_mask(x.shape[1], x.device))[0]


def causal_mask(T, device=None):
    return torch.ones(T, T, device=device).tril() == 1


def attention(q, k, v, mask=None):
    weights = torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights @ v, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.project = nn.ModuleDict({name: nn.Linear(n_embd, head_size, bias=False) for name in "qkv"})
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        q, k, v = (self.project[name](x) for name in "qkv")
        return self.dropout(attention(q, k, v, causal_mask(x.shape[1], x.device))[1]) @ v

    def load_weights(self, tensors):
        for name in "qkv":
            self.project[name].weight = nn.Parameter(tensors[name].T.to(self.project[name].weight))


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head != 0:
            raise ValueError("n_embd is not a multiple of n_head")
        self.n_head, self.block_size = n_head, block_size
        self.input = nn.Linear(n_embd, 3 * n_embd)
        self.output = nn.Sequential(nn.Linear(n_embd, n_embd), nn.Dropout(dropout))

    def _attend(self, x):
        B, T, C = x.shape
        if self.block_size < T:
            raise ValueError("T > block_size")
        q, k, v = self.input(x).reshape(B, T, 3 * self.n_head, C // self.n_head).transpose(1, 2).chunk(3, dim=1)
        return attention(q, k, v, causal_mask(T, x.device))

    def forward(self, x):
        return self.output(self._attend(x)[0].transpose(1, 2).reshape(*x.shape))

    def attention_weights(self, x):
        return self._attend(x)[1]

    def load_weights(self, tensors):
        for name, layer in (("c_attn", self.input), ("c_proj", self.output[0])):
            layer.weight = nn.Parameter(tensors[f"{name}.weight"].T.to(layer.weight))
            layer.bias = nn.Parameter(tensors[f"{name}.bias"].to(layer.bias))
