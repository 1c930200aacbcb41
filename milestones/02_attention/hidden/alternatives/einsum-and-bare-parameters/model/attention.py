"""Bare parameters with a head dimension of their own, einsum throughout, biases of three dimensions, finfo.min."""

import torch
from torch import einsum, nn


def causal_average(x):
    T = x.shape[1]
    table = torch.ones(T, T, dtype=x.dtype).tril()
    return einsum("ts,bsc->btc", table / table.sum(1, keepdim=True), x)


def causal_mask(T, device=None):
    return ~torch.ones((T, T), dtype=torch.bool, device=device).triu(1)


def attention(q, k, v, mask=None):
    scores = einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, -1)
    return einsum("...ts,...sd->...td", weights, v), weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.maps = nn.Parameter(torch.randn(3, n_embd, head_size) * 0.02)
        self.rate = dropout

    def forward(self, x):
        q, k, v = einsum("btc,ncd->nbtd", x, self.maps)
        _, weights = attention(q, k, v, causal_mask(x.shape[1], x.device))
        return nn.functional.dropout(weights, self.rate, self.training) @ v

    def load_weights(self, tensors):
        self.maps.data.copy_(torch.stack([tensors["q"], tensors["k"], tensors["v"]]))


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd // n_head * n_head != n_embd:
            raise ValueError("head size is not a whole number")
        self.block_size, self.rate = block_size, dropout
        D = n_embd // n_head
        self.w_q, self.w_k, self.w_v = (nn.Parameter(torch.randn(n_head, D, n_embd) * 0.02) for _ in range(3))
        self.b_q, self.b_k, self.b_v = (nn.Parameter(torch.zeros(n_head, 1, D)) for _ in range(3))
        self.w_o = nn.Parameter(torch.randn(n_head, D, n_embd) * 0.02)
        self.b_o = nn.Parameter(torch.zeros(1, n_embd))

    def _attend(self, x):
        if x.shape[1] > self.block_size:
            raise ValueError("too many positions")
        pairs = ((self.w_q, self.b_q), (self.w_k, self.b_k), (self.w_v, self.b_v))
        q, k, v = (einsum("btc,hdc->bhtd", x, w) + b for w, b in pairs)
        return *attention(q, k, v, causal_mask(x.shape[1], x.device)), v

    def forward(self, x):
        _, weights, v = self._attend(x)
        heads = nn.functional.dropout(weights, self.rate, self.training) @ v
        return einsum("bhtd,hdc->btc", heads, self.w_o) + self.b_o

    def attention_weights(self, x):
        return self._attend(x)[1]

    def load_weights(self, tensors):
        H, D, C = self.w_q.shape
        for name, matrix, bias in zip(
            "qkv", tensors["c_attn.weight"].split(C, 1), tensors["c_attn.bias"].split(C), strict=True
        ):
            getattr(self, f"w_{name}").data.copy_(matrix.T.reshape(H, D, C))
            getattr(self, f"b_{name}").data.copy_(bias.reshape(H, 1, D))
        self.w_o.data.copy_(tensors["c_proj.weight"].reshape(H, D, C))
        self.b_o.data.copy_(tensors["c_proj.bias"][None])
