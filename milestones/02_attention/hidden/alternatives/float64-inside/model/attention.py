"""Everything is computed in float64 and cast back to the dtype of the input."""

import torch
from torch import nn


def causal_average(x):
    wide = x.double()
    T = x.shape[1]
    return (wide.cumsum(1) / torch.arange(1, T + 1).double().reshape(T, 1)).type_as(x)


def causal_mask(T, device=None):
    return torch.tril_indices(T, T).new_ones(T, T).tril().to(device=device, dtype=torch.bool)


def attention(q, k, v, mask=None):
    dtype = q.dtype
    q, k, v = q.double(), k.double(), v.double()
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores[..., ~mask] = -torch.inf
    weights = scores.softmax(dim=-1)
    return (weights @ v).to(dtype), weights.to(dtype)


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.q = nn.Linear(n_embd, head_size, bias=False, dtype=torch.float64)
        self.k = nn.Linear(n_embd, head_size, bias=False, dtype=torch.float64)
        self.v = nn.Linear(n_embd, head_size, bias=False, dtype=torch.float64)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        wide = x.to(self.q.weight.dtype)
        out, _ = attention(self.q(wide), self.k(wide), self.v(wide), causal_mask(x.shape[1], x.device))
        return self.dropout(out).to(x.dtype)

    @torch.no_grad()
    def load_weights(self, tensors):
        for name, tensor in tensors.items():
            self.get_submodule(name).weight.copy_(tensor.T)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head:
            raise ValueError("n_head must divide n_embd")
        self.n_head, self.block_size = n_head, block_size
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, dtype=torch.float64)
        self.c_proj = nn.Linear(n_embd, n_embd, dtype=torch.float64)
        self.dropout = nn.Dropout(dropout)

    def _attend(self, x):
        B, T, C = x.shape
        if self.block_size < T:
            raise ValueError("input too long")
        wide = self.c_attn(x.to(self.c_attn.weight.dtype))
        q, k, v = wide.view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4).unbind(0)
        return attention(q, k, v, causal_mask(T, x.device))

    def forward(self, x):
        out = self._attend(x)[0].transpose(1, 2).reshape(x.shape)
        return self.dropout(self.c_proj(out)).to(x.dtype)

    def attention_weights(self, x):
        return self._attend(x)[1].to(x.dtype)

    @torch.no_grad()
    def load_weights(self, tensors):
        for name, tensor in tensors.items():
            parameter = self.get_parameter(name)
            parameter.copy_(tensor.T if tensor.ndim == 2 else tensor)
