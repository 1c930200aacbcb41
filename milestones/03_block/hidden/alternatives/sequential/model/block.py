"""FeedForward is one nn.Sequential; mean and variance come from var_mean, scale and shift from addcmul."""

import torch
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n_embd))
        self.shift = nn.Parameter(torch.zeros(n_embd))
        self.eps = eps

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.shift, (x - mean) * torch.rsqrt(variance + self.eps), self.gain)

    def load_weights(self, tensors):
        self.gain.data.copy_(tensors["weight"])
        self.shift.data.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * n_embd, n_embd),
            nn.Dropout(dropout),
        )

    def forward(self, x):
        return self.net(x)

    def load_weights(self, tensors):
        for index, name in ((0, "c_fc"), (2, "c_proj")):
            self.net[index].weight.data.copy_(tensors[f"{name}.weight"].t())
            self.net[index].bias.data.copy_(tensors[f"{name}.bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.sa = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.ffwd = FeedForward(n_embd, dropout)
        self.ln1 = LayerNorm(n_embd)
        self.ln2 = LayerNorm(n_embd)

    def forward(self, x):
        after_attention = x + self.sa(self.ln1(x))
        return after_attention + self.ffwd(self.ln2(after_attention))

    def load_weights(self, tensors):
        for prefix, part in {"ln_1": self.ln1, "attn": self.sa, "ln_2": self.ln2, "mlp": self.ffwd}.items():
            part.load_weights({k[len(prefix) + 1 :]: v for k, v in tensors.items() if k.startswith(prefix + ".")})
