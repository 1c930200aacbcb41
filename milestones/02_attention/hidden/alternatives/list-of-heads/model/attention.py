"""Multi-head attention as a ModuleList of single heads, concatenated; dropout after the projection only."""

import torch
from torch import nn
from torch.nn import functional as F


def causal_average(x):
    return torch.stack([x[:, : t + 1].mean(dim=1) for t in range(x.shape[1])], dim=1)


def causal_mask(T, device=None):
    positions = torch.arange(T, device=device)
    return positions.unsqueeze(1) >= positions.unsqueeze(0)


def attention(q, k, v, mask=None):
    scores = torch.matmul(q, k.mT) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(float("-inf"), dtype=scores.dtype, device=scores.device))
    weights = F.softmax(scores, dim=-1)
    return torch.matmul(weights, v), weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(block_size, block_size)))
        self.dropout = nn.Dropout(dropout)

    def weights(self, x):
        T = x.shape[1]
        return attention(self.query(x), self.key(x), self.value(x), self.tril[:T, :T] > 0)[1]

    def forward(self, x):
        return self.dropout(self.weights(x)) @ self.value(x)

    @torch.no_grad()
    def load_weights(self, tensors):
        self.query.weight.copy_(tensors["q"].T)
        self.key.weight.copy_(tensors["k"].T)
        self.value.weight.copy_(tensors["v"].T)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        head_size, rest = divmod(n_embd, n_head)
        if rest:
            raise ValueError(f"{n_embd} is not divisible by {n_head}")
        self.heads = nn.ModuleList([Head(n_embd, head_size, block_size) for _ in range(n_head)])
        self.proj = nn.Linear(n_embd, n_embd)
        self.dropout = nn.Dropout(dropout)
        self.block_size = block_size

    def forward(self, x):
        if x.shape[1] > self.block_size:
            raise ValueError(f"{x.shape[1]} > {self.block_size}")
        return self.dropout(self.proj(torch.cat([head(x) for head in self.heads], dim=-1)))

    def attention_weights(self, x):
        return torch.stack([head.weights(x) for head in self.heads], dim=1)

    @torch.no_grad()
    def load_weights(self, tensors):
        if tensors["c_attn.bias"].abs().max() > 0:
            raise ValueError("query, key and value have no bias")
        q, k, v = tensors["c_attn.weight"].chunk(3, dim=1)
        for number, head in enumerate(self.heads):
            size = head.query.weight.shape[0]
            own = slice(number * size, (number + 1) * size)
            head.load_weights({"q": q[:, own], "k": k[:, own], "v": v[:, own]})
        self.proj.weight.copy_(tensors["c_proj.weight"].T)
        self.proj.bias.copy_(tensors["c_proj.bias"])
