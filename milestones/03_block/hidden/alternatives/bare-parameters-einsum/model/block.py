"""FeedForward keeps its matrices as bare Parameters, (in, out), and multiplies with einsum; there is no nn.Linear."""

import math

import torch
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.n_embd, self.eps = n_embd, eps
        self.g = nn.Parameter(torch.ones(n_embd))
        self.b = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        mean = torch.einsum("...c->...", x).unsqueeze(-1) / self.n_embd
        centred = x - mean
        variance = torch.einsum("...c,...c->...", centred, centred).unsqueeze(-1) / self.n_embd
        return torch.einsum("...c,c->...c", centred / torch.sqrt(variance + self.eps), self.g) + self.b

    def load_weights(self, tensors):
        with torch.no_grad():
            self.g.copy_(tensors["weight"])
            self.b.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(n_embd, 4 * n_embd) / math.sqrt(n_embd))
        self.b1 = nn.Parameter(torch.zeros(4 * n_embd))
        self.w2 = nn.Parameter(torch.randn(4 * n_embd, n_embd) / math.sqrt(4 * n_embd))
        self.b2 = nn.Parameter(torch.zeros(n_embd))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        u = torch.einsum("...i,ij->...j", x, self.w1) + self.b1
        u = u * torch.sigmoid(math.sqrt(8 / math.pi) * (u + 0.044715 * u**3))  # (1 + tanh(a)) / 2 = sigmoid(2 a)
        return self.dropout(torch.einsum("...i,ij->...j", u, self.w2) + self.b2)

    def load_weights(self, tensors):
        names = {"c_fc.weight": self.w1, "c_fc.bias": self.b1, "c_proj.weight": self.w2, "c_proj.bias": self.b2}
        with torch.no_grad():
            for name, parameter in names.items():
                parameter.copy_(tensors[name])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.parts = nn.ModuleDict(
            {
                "ln_1": LayerNorm(n_embd),
                "attn": MultiHeadAttention(n_embd, n_head, block_size, dropout),
                "ln_2": LayerNorm(n_embd),
                "mlp": FeedForward(n_embd, dropout),
            }
        )

    def forward(self, x):
        p = self.parts
        h = p["attn"](p["ln_1"](x)) + x
        return p["mlp"](p["ln_2"](h)) + h

    def load_weights(self, tensors):
        for name, part in self.parts.items():
            part.load_weights({k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")})
