"""LayerNorm loops over the tokens and FeedForward over the rows of the batch; slow, and right."""

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention


def normalise(token, eps):
    """One token (C,)."""
    mean = token.sum() / token.numel()
    variance = ((token - mean) ** 2).sum() / token.numel()
    return (token - mean) / torch.sqrt(variance + eps)


class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        rows = [normalise(token, self.eps) for token in x.reshape(-1, x.shape[-1]).unbind(0)]
        return torch.stack(rows).reshape(x.shape) * self.weight + self.bias

    def load_weights(self, tensors):
        self.load_state_dict({"weight": tensors["weight"], "bias": tensors["bias"]})


class FeedForward(nn.Module):
    def __init__(self, n_embd, dropout=0.0):
        super().__init__()
        self.weights = nn.ParameterDict(
            {
                "c_fc_weight": nn.Parameter(0.1 * torch.randn(n_embd, 4 * n_embd)),
                "c_fc_bias": nn.Parameter(torch.zeros(4 * n_embd)),
                "c_proj_weight": nn.Parameter(0.1 * torch.randn(4 * n_embd, n_embd)),
                "c_proj_bias": nn.Parameter(torch.zeros(n_embd)),
            }
        )
        self.dropout = nn.Dropout(dropout)

    def one(self, tokens):
        w = self.weights
        hidden = F.gelu(torch.addmm(w["c_fc_bias"], tokens, w["c_fc_weight"]), approximate="tanh")
        return torch.addmm(w["c_proj_bias"], hidden, w["c_proj_weight"])

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-2], x.shape[-1])
        return self.dropout(torch.stack([self.one(row) for row in rows]).reshape(x.shape))

    def load_weights(self, tensors):
        with torch.no_grad():
            for name, tensor in tensors.items():
                self.weights[name.replace(".", "_")].copy_(tensor)


class Block(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                LayerNorm(n_embd),
                MultiHeadAttention(n_embd, n_head, block_size, dropout),
                LayerNorm(n_embd),
                FeedForward(n_embd, dropout),
            ]
        )

    def forward(self, x):
        ln_1, attn, ln_2, mlp = self.layers
        x = x + attn(ln_1(x))
        return x + mlp(ln_2(x))

    def load_weights(self, tensors):
        for name, part in zip(("ln_1.", "attn.", "ln_2.", "mlp."), self.layers, strict=True):
            part.load_weights({k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)})
