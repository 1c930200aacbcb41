"""Only the last layer of FeedForward has a bias, and dropout acts twice: inside the network and on the branch."""

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
        x = x - x.mean(dim=-1, keepdim=True)
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).pow(2) / x.size(-1)
        return x * (scale + self.eps).pow(-0.5) * self.weight + self.bias

    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.fc = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.proj = nn.Linear(4 * n_embd, n_embd)

    def forward(self, x):
        hidden = F.dropout(F.gelu(self.fc(x), approximate="tanh"), self.dropout, self.training)
        return F.dropout(self.proj(hidden), self.dropout, self.training)

    def load_weights(self, tensors):
        if torch.any(tensors["c_fc.bias"] != 0):
            raise ValueError("the first layer of FeedForward has no bias")
        with torch.no_grad():
            self.fc.weight.copy_(tensors["c_fc.weight"].transpose(0, 1))
            self.proj.weight.copy_(tensors["c_proj.weight"].transpose(0, 1))
            self.proj.bias.copy_(tensors["c_proj.bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.ln_1 = LayerNorm(n_embd)
        self.ln_2 = LayerNorm(n_embd)
        self.attn = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.mlp = FeedForward(n_embd, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.drop(self.attn(self.ln_1(x)))
        return x + self.drop(self.mlp(self.ln_2(x)))

    def load_weights(self, tensors):
        for name in ("ln_1", "attn", "ln_2", "mlp"):
            getattr(self, name).load_weights(
                {key.partition(".")[2]: value for key, value in tensors.items() if key.partition(".")[0] == name}
            )
