"""Heads folded into the batch, (B*H, T, D), with bmm and baddbmm; exponentials without subtracting the maximum."""

import torch
from torch import nn


def causal_average(x):
    B, T, _ = x.shape
    table = torch.tril(x.new_ones(T, T)) / torch.arange(1, T + 1).to(x)[:, None]
    return torch.bmm(table.expand(B, T, T), x)


def causal_mask(T, device=None):
    return torch.tril(torch.ones(T, T, dtype=torch.uint8, device=device)).to(torch.bool)


def attention(q, k, v, mask=None):
    powers = torch.exp(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5)
    if mask is not None:
        powers = powers * mask.to(powers.dtype)
    weights = powers / powers.sum(-1, keepdim=True)
    return weights @ v, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_embd, 3 * head_size)))
        self.drop_weights, self.drop_out = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x):
        q, k, v = (x @ self.weight).tensor_split(3, dim=-1)
        _, weights = attention(q, k, v, causal_mask(x.shape[1], x.device))
        return self.drop_out(torch.bmm(self.drop_weights(weights), v))

    def load_weights(self, tensors):
        self.weight.data = torch.cat([tensors["q"], tensors["k"], tensors["v"]], dim=-1).to(self.weight.dtype)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        if n_embd % n_head != 0:
            raise ValueError("bad number of heads")
        self.n_head, self.block_size = n_head, block_size
        self.w_in = nn.Parameter(torch.randn(3, n_embd, n_embd) / n_embd**0.5)
        self.b_in = nn.Parameter(torch.zeros(3, 1, n_embd))
        self.w_out = nn.Parameter(torch.randn(n_embd, n_embd) / n_embd**0.5)
        self.dropout = nn.Dropout(dropout)

    def _fold(self, y):
        B, T, _ = y.shape
        return y.view(B, T, self.n_head, -1).transpose(1, 2).reshape(B * self.n_head, T, -1)

    def _weights(self, x):
        B, T, C = x.shape
        if self.block_size < T:
            raise ValueError("T is larger than block_size")
        flat = x.reshape(1, B * T, C).expand(3, -1, -1)
        q, k, v = (self._fold(y.view(B, T, C)) for y in torch.baddbmm(self.b_in, flat, self.w_in))
        return attention(q, k, v, causal_mask(T, x.device))[1], v

    def forward(self, x):
        B, T, C = x.shape
        weights, v = self._weights(x)
        out = torch.bmm(self.dropout(weights), v)
        return out.view(B, self.n_head, T, -1).transpose(1, 2).reshape(B, T, C) @ self.w_out

    def attention_weights(self, x):
        return self._weights(x)[0].view(x.shape[0], self.n_head, x.shape[1], x.shape[1])

    def load_weights(self, tensors):
        if tensors["c_proj.bias"].any():
            raise ValueError("there is no bias on the output")
        with torch.no_grad():
            self.w_in.copy_(torch.stack(tensors["c_attn.weight"].chunk(3, dim=1)))
            self.b_in.copy_(torch.stack(tensors["c_attn.bias"].chunk(3))[:, None])
            self.w_out.copy_(tensors["c_proj.weight"])
