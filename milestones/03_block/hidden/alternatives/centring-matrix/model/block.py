"""LayerNorm subtracts the mean by a matrix product, x @ (I - 1/C); FeedForward takes its hidden layer in slices."""

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        C = x.shape[-1]
        centring = torch.eye(C, dtype=x.dtype, device=x.device) - 1.0 / C
        rows = x.reshape(-1, C) @ centring
        scale = torch.sqrt(torch.diagonal(rows @ rows.T).unsqueeze(1) / C + self.eps)
        return torch.mul(rows / scale, self.weight).add(self.bias).view(x.shape)

    @torch.no_grad()
    def load_weights(self, tensors):
        self.weight.copy_(tensors["weight"])
        self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    SLICES = 4

    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.ins = nn.ModuleList(nn.Linear(n_embd, n_embd) for _ in range(self.SLICES))
        self.outs = nn.ModuleList(nn.Linear(n_embd, n_embd, bias=False) for _ in range(self.SLICES))
        self.bias = nn.Parameter(torch.zeros(n_embd))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        total = self.bias
        for enter, leave in zip(self.ins, self.outs, strict=True):
            total = total + leave(F.gelu(enter(x), approximate="tanh"))
        return self.dropout(total)

    @torch.no_grad()
    def load_weights(self, tensors):
        columns = tensors["c_fc.weight"].chunk(self.SLICES, dim=1), tensors["c_fc.bias"].chunk(self.SLICES)
        rows = tensors["c_proj.weight"].chunk(self.SLICES, dim=0)
        for enter, leave, w_in, b_in, w_out in zip(self.ins, self.outs, *columns, rows, strict=True):
            enter.weight.copy_(w_in.T)
            enter.bias.copy_(b_in)
            leave.weight.copy_(w_out.T)
        self.bias.copy_(tensors["c_proj.bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.before_attention = LayerNorm(n_embd)
        self.attention = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.before_thinking = LayerNorm(n_embd)
        self.thinking = FeedForward(n_embd, dropout)

    def forward(self, x):
        notes = self.attention(self.before_attention(x))
        return x + notes + self.thinking(self.before_thinking(x + notes))

    def load_weights(self, tensors):
        groups = {"ln_1": {}, "attn": {}, "ln_2": {}, "mlp": {}}
        for key, value in tensors.items():
            head, _, tail = key.partition(".")
            groups[head][tail] = value
        self.before_attention.load_weights(groups["ln_1"])
        self.attention.load_weights(groups["attn"])
        self.before_thinking.load_weights(groups["ln_2"])
        self.thinking.load_weights(groups["mlp"])
