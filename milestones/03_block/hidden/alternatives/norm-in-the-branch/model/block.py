"""Each branch is Residual(PreNorm(...)): norm and sum live in wrappers, and the block is a Sequential of two."""

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))
        self.eps = eps

    def forward(self, x):
        std = torch.sqrt(((x - x.mean(-1, True)) ** 2).mean(-1, True) + self.eps)
        return self.weight * ((x - x.mean(-1, True)) / std) + self.bias

    def load_weights(self, tensors):
        for name in ("weight", "bias"):
            getattr(self, name).data = tensors[name].to(self.weight.dtype).clone()


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.first = nn.Linear(n_embd, n_embd * 4)
        self.second = nn.Linear(n_embd * 4, n_embd)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.second(F.gelu(self.first(x), approximate="tanh")))

    def load_weights(self, tensors):
        state = {"first.weight": tensors["c_fc.weight"].T, "second.weight": tensors["c_proj.weight"].T}
        state |= {"first.bias": tensors["c_fc.bias"], "second.bias": tensors["c_proj.bias"]}
        self.load_state_dict(state)


class PreNorm(nn.Module):
    def __init__(self, n_embd, inner):
        super().__init__()
        self.norm = LayerNorm(n_embd)
        self.inner = inner

    def forward(self, x):
        return self.inner(self.norm(x))


class Residual(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


class Block(nn.Sequential):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__(
            Residual(PreNorm(n_embd, MultiHeadAttention(n_embd, n_head, block_size, dropout))),
            Residual(PreNorm(n_embd, FeedForward(n_embd, dropout))),
        )

    def load_weights(self, tensors):
        for number, inner, residual in ((1, "attn", self[0]), (2, "mlp", self[1])):
            for name, part in ((f"ln_{number}.", residual.branch.norm), (f"{inner}.", residual.branch.inner)):
                part.load_weights({k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)})
