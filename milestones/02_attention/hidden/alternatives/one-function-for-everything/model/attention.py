"""Head is multi-head attention with one head and no output projection; errors are of a subclass of ValueError."""

import torch
from torch import nn


class WrongSize(ValueError):
    pass


def causal_average(x):
    mask = causal_mask(x.shape[1], device=x.device)
    return attention(x.new_zeros(x.shape[1], 1), x.new_zeros(x.shape[1], 1), x, mask)[0]


def causal_mask(T, device=None):
    return torch.less_equal(*torch.meshgrid(*[torch.arange(T, device=device)] * 2, indexing="xy"))


def attention(q, k, v, mask=None):
    scores = torch.inner(q, k) if q.ndim == 2 else q.matmul(k.transpose(-1, -2))
    scores = scores / float(q.shape[-1]) ** 0.5
    if mask is not None:
        scores = scores.masked_fill(torch.logical_not(mask), -1e30)
    weights = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))
    return weights.matmul(v), weights


class SelfAttention(nn.Module):
    def __init__(self, n_in, n_out, n_head, block_size, dropout, bias):
        super().__init__()
        if n_out % n_head:
            raise WrongSize(f"{n_out} channels, {n_head} heads")
        self.n_head, self.block_size = n_head, block_size
        self.qkv = nn.Linear(n_in, 3 * n_out, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def both(self, x):
        if x.size(1) > self.block_size:
            raise WrongSize(f"{x.size(1)} positions, block_size {self.block_size}")
        q, k, v = self.qkv(x).unflatten(-1, (3, self.n_head, -1)).movedim((2, 3), (0, 2))
        _, weights = attention(q, k, v, causal_mask(x.size(1), x.device))
        return (self.dropout(weights) @ v).movedim(1, 2).flatten(2), weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.inner = SelfAttention(n_embd, head_size, 1, block_size, dropout, bias=False)

    def forward(self, x):
        return self.inner.both(x)[0]

    def load_weights(self, tensors):
        self.inner.qkv.weight.data.copy_(torch.cat([tensors[name] for name in ("q", "k", "v")], 1).T)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.inner = SelfAttention(n_embd, n_embd, n_head, block_size, dropout, bias=True)
        self.mix = nn.Conv1d(n_embd, n_embd, kernel_size=1)

    def forward(self, x):
        return self.mix(self.inner.both(x)[0].mT).mT

    def attention_weights(self, x):
        return self.inner.both(x)[1]

    def load_weights(self, tensors):
        with torch.no_grad():
            self.inner.qkv.weight.copy_(tensors["c_attn.weight"].T)
            self.inner.qkv.bias.copy_(tensors["c_attn.bias"])
            self.mix.weight.copy_(tensors["c_proj.weight"].T.unsqueeze(-1))
            self.mix.bias.copy_(tensors["c_proj.bias"])
