"""LayerNorm computes in float64 whatever comes in and returns the input's dtype; FeedForward has no biases."""

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
        exact = x.to(torch.float64)
        centred = exact - exact.mean(dim=-1, keepdim=True)
        power = (centred * centred).sum(dim=-1, keepdim=True) / x.shape[-1]
        return (centred / (power + self.eps).sqrt() * self.weight + self.bias).to(x.dtype)

    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.w_in = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.w_out = nn.Linear(4 * n_embd, n_embd, bias=False)
        self.p = dropout

    def forward(self, x):
        y = self.w_out(F.gelu(self.w_in(x), approximate="tanh"))
        return F.dropout(y, self.p, training=self.training)

    def load_weights(self, tensors):
        if any(tensors[name].abs().sum() > 0 for name in ("c_fc.bias", "c_proj.bias")):
            raise ValueError("these layers have no biases")
        with torch.no_grad():
            self.w_in.weight.copy_(tensors["c_fc.weight"].mT)
            self.w_out.weight.copy_(tensors["c_proj.weight"].mT)


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(n_embd), LayerNorm(n_embd)
        self.attention = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.feed_forward = FeedForward(n_embd, dropout)

    def forward(self, x):
        attended = self.attention(self.norm1(x))
        x = torch.add(x, attended)
        return torch.add(x, self.feed_forward(self.norm2(x)))

    def load_weights(self, tensors):
        def below(name):
            return {key[len(name) :]: value for key, value in tensors.items() if key.startswith(name)}

        self.norm1.load_weights(below("ln_1."))
        self.norm2.load_weights(below("ln_2."))
        self.attention.load_weights(below("attn."))
        self.feed_forward.load_weights(below("mlp."))
