"""The last matrix of the feed-forward starts at zero, and biases of the norms inside the block are left out."""

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5, shift=True):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd)) if shift else None

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        y = centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + self.eps) * self.weight
        return y if self.bias is None else y + self.bias

    def load_weights(self, tensors):
        if self.bias is None and tensors["bias"].any():
            raise ValueError("this norm has no bias")
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            if self.bias is not None:
                self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.c_proj = nn.Linear(4 * n_embd, n_embd, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.c_proj.weight)

    def forward(self, x):
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))

    def load_weights(self, tensors):
        if tensors["c_fc.bias"].any() or tensors["c_proj.bias"].any():
            raise ValueError("FeedForward has no biases")
        with torch.no_grad():
            self.c_fc.weight.copy_(tensors["c_fc.weight"].T)
            self.c_proj.weight.copy_(tensors["c_proj.weight"].T)


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.ln_1 = LayerNorm(n_embd, shift=False)
        self.attn = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.ln_2 = LayerNorm(n_embd, shift=False)
        self.mlp = FeedForward(n_embd, dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))

    def load_weights(self, tensors):
        for name, part in self.named_children():
            part.load_weights({k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")})
