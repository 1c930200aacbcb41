"""Three projections without biases, -1e9 as the mask value, and a mask made in each forward."""

import torch
import torch.nn as nn


def causal_average(x):
    counts = torch.arange(1, x.size(1) + 1, dtype=x.dtype, device=x.device)
    return x.cumsum(dim=1) / counts.view(1, -1, 1)


def causal_mask(T, device=None):
    return torch.tril(torch.ones(T, T, device=device)).bool()


def attention(q, k, v, mask=None):
    wei = q @ k.transpose(-1, -2) * q.size(-1) ** -0.5
    if mask is not None:
        wei = wei.masked_fill(mask == 0, -1e9)
    wei = wei.softmax(-1)
    return wei @ v, wei


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.to_q = nn.Linear(n_embd, head_size, bias=False)
        self.to_k = nn.Linear(n_embd, head_size, bias=False)
        self.to_v = nn.Linear(n_embd, head_size, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        out, _ = attention(self.to_q(x), self.to_k(x), self.to_v(x), causal_mask(x.size(1), x.device))
        return self.drop(out)

    def load_weights(self, tensors):
        for name in "qkv":
            getattr(self, f"to_{name}").weight.data = tensors[name].t().contiguous()


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head:
            raise ValueError("the heads must divide the channels")
        self.h, self.limit = n_head, block_size
        self.to_q = nn.Linear(n_embd, n_embd, bias=False)
        self.to_k = nn.Linear(n_embd, n_embd, bias=False)
        self.to_v = nn.Linear(n_embd, n_embd, bias=False)
        self.out = nn.Linear(n_embd, n_embd, bias=False)
        self.drop = nn.Dropout(dropout)

    def split(self, t):
        return t.unflatten(-1, (self.h, -1)).transpose(-2, -3)

    def run(self, x):
        if x.size(1) > self.limit:
            raise ValueError("the input is too long")
        q, k, v = (self.split(layer(x)) for layer in (self.to_q, self.to_k, self.to_v))
        return attention(q, k, v, causal_mask(x.size(1), x.device))

    def forward(self, x):
        return self.drop(self.out(self.run(x)[0].transpose(1, 2).flatten(2)))

    def attention_weights(self, x):
        return self.run(x)[1]

    def load_weights(self, tensors):
        if tensors["c_attn.bias"].count_nonzero() or tensors["c_proj.bias"].count_nonzero():
            raise ValueError("no biases here")
        matrices = [*tensors["c_attn.weight"].chunk(3, dim=1), tensors["c_proj.weight"]]
        for layer, matrix in zip((self.to_q, self.to_k, self.to_v, self.out), matrices, strict=True):
            layer.weight.data = matrix.t().contiguous()
