"""FeedForward is two convolutions of width one over (B, C, T), with a handwritten dropout."""

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention


class Dropout(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        return x * torch.empty_like(x).bernoulli_(1 - self.p) / (1 - self.p)


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        last = x.ndim - 1
        deviation = x.std(dim=last, keepdim=True, unbiased=False)
        return (x - x.mean(dim=last, keepdim=True)) / (deviation**2 + self.eps).sqrt() * self.weight + self.bias

    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.widen = nn.Conv1d(n_embd, 4 * n_embd, kernel_size=1)
        self.narrow = nn.Conv1d(4 * n_embd, n_embd, kernel_size=1)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        columns = x.reshape(-1, x.shape[-1], 1)  # every token is a sequence of its own
        hidden = F.gelu(self.widen(columns), approximate="tanh")
        return self.dropout(self.narrow(hidden).reshape(x.shape))

    def load_weights(self, tensors):
        with torch.no_grad():
            self.widen.weight.copy_(tensors["c_fc.weight"].T.unsqueeze(-1))
            self.widen.bias.copy_(tensors["c_fc.bias"])
            self.narrow.weight.copy_(tensors["c_proj.weight"].T.unsqueeze(-1))
            self.narrow.bias.copy_(tensors["c_proj.bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.n1, self.n2 = LayerNorm(n_embd), LayerNorm(n_embd)
        self.a = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.f = FeedForward(n_embd, dropout)

    def forward(self, x):
        stream = [x]
        for norm, branch in ((self.n1, self.a), (self.n2, self.f)):
            stream.append(branch(norm(sum(stream))))
        return sum(stream)

    def load_weights(self, tensors):
        for name, part in {"ln_1.": self.n1, "attn.": self.a, "ln_2.": self.n2, "mlp.": self.f}.items():
            part.load_weights({k.replace(name, "", 1): v for k, v in tensors.items() if k.startswith(name)})
