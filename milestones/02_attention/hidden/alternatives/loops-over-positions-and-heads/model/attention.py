"""Python loops over positions and heads: each query looks only at the keys that it may see, so nothing is masked."""

import torch
from torch import nn


def causal_average(x):
    return torch.cat([x[:, : t + 1].sum(1, keepdim=True) / (t + 1) for t in range(x.shape[1])], dim=1)


def causal_mask(T, device=None):
    mask = torch.zeros(T, T, dtype=torch.bool, device=device)
    for t in range(T):
        mask[t, : t + 1] = True
    return mask


def attention(q, k, v, mask=None):
    T, S, D = q.shape[-2], k.shape[-2], q.shape[-1]
    weights = q.new_zeros(*q.shape[:-1], S)
    out = v.new_zeros(*q.shape[:-1], v.shape[-1])
    for t in range(T):
        seen = list(range(S)) if mask is None else mask[t].nonzero()[:, 0].tolist()
        scores = (q[..., t : t + 1, :] * k[..., seen, :]).sum(dim=-1) / D**0.5
        shares = torch.softmax(scores, dim=-1)
        weights[..., t, seen] = shares
        out[..., t, :] = (shares.unsqueeze(-1) * v[..., seen, :]).sum(dim=-2)
    return out, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.block_size = block_size
        self.q, self.k, self.v = (nn.Linear(n_embd, head_size, False) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        if x.shape[1] > self.block_size:
            raise ValueError("too long")
        out, _ = attention(self.q(x), self.k(x), self.v(x), causal_mask(x.shape[1]))
        return self.drop(out)

    def load_weights(self, tensors):
        with torch.no_grad():
            for name in ("q", "k", "v"):
                getattr(self, name).weight[:] = tensors[name].T


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        if n_embd % n_head:
            raise ValueError("n_embd must be divisible by n_head")
        super().__init__()
        self.n_head, self.block_size = n_head, block_size
        self.q, self.k, self.v, self.o = (nn.Linear(n_embd, n_embd) for _ in range(4))
        self.drop = nn.Dropout(dropout)

    def heads(self, x):
        if x.shape[1] > self.block_size:
            raise ValueError("too long")
        q, k, v = self.q(x), self.k(x), self.v(x)
        size = x.shape[-1] // self.n_head
        for h in range(self.n_head):
            own = slice(h * size, (h + 1) * size)
            yield attention(q[..., own], k[..., own], v[..., own], causal_mask(x.shape[1]))

    def forward(self, x):
        return self.drop(self.o(torch.cat([out for out, _ in self.heads(x)], dim=-1)))

    def attention_weights(self, x):
        return torch.stack([weights for _, weights in self.heads(x)], dim=1)

    def load_weights(self, tensors):
        matrices = (*tensors["c_attn.weight"].chunk(3, 1), tensors["c_proj.weight"])
        biases = (*tensors["c_attn.bias"].chunk(3), tensors["c_proj.bias"])
        with torch.no_grad():
            for layer, matrix, bias in zip((self.q, self.k, self.v, self.o), matrices, biases, strict=True):
                layer.weight[:] = matrix.T
                layer.bias[:] = bias
