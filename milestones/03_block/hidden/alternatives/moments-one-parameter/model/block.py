"""LayerNorm uses E[x^2] - E[x]^2 and keeps weight and bias as two rows of one Parameter; the GELU is written out."""

import math

import torch
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.affine = nn.Parameter(torch.stack([torch.ones(n_embd), torch.zeros(n_embd)]))

    def forward(self, x):
        first = x.mean(-1, keepdim=True)
        second = x.square().mean(-1, keepdim=True)
        variance = (second - first.square()).clamp(min=0.0)
        gain, shift = self.affine
        return (x - first) / (variance + self.eps) ** 0.5 * gain + shift

    @torch.no_grad()
    def load_weights(self, tensors):
        self.affine.copy_(torch.stack([tensors["weight"], tensors["bias"]]))


def gelu(u):
    return 0.5 * u * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (u + 0.044715 * torch.pow(u, 3.0))))


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(n_embd, 4 * n_embd)
        self.down = nn.Linear(4 * n_embd, n_embd)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.drop(self.down(gelu(self.up(x))))

    @torch.no_grad()
    def load_weights(self, tensors):
        self.up.weight.copy_(tensors["c_fc.weight"].T)
        self.up.bias.copy_(tensors["c_fc.bias"])
        self.down.weight.copy_(tensors["c_proj.weight"].T)
        self.down.bias.copy_(tensors["c_proj.bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.norms = nn.ModuleList([LayerNorm(n_embd), LayerNorm(n_embd)])
        self.branches = nn.ModuleList(
            [MultiHeadAttention(n_embd, n_head, block_size, dropout), FeedForward(n_embd, dropout)]
        )

    def forward(self, x):
        for norm, branch in zip(self.norms, self.branches, strict=True):
            x = x + branch(norm(x))
        return x

    def load_weights(self, tensors):
        parts = {"ln_1": self.norms[0], "ln_2": self.norms[1], "attn": self.branches[0], "mlp": self.branches[1]}
        for name, part in parts.items():
            part.load_weights({k.split(".", 1)[1]: v for k, v in tensors.items() if k.split(".", 1)[0] == name})
