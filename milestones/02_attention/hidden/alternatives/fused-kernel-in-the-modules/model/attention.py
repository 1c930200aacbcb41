"""Both modules use the fused kernel, imported by name at the top; attention() by hand serves only the audit."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as sdpa


def causal_average(x):
    T = x.shape[1]
    ones = torch.zeros(x.shape[0], T, 1, dtype=x.dtype)
    return sdpa(ones, ones, x, is_causal=True)  # equal scores: a plain average


def causal_mask(T, device=None):
    return torch.tril(torch.full((T, T), True, device=device))


def attention(q, k, v, mask=None):
    logits = (q / q.shape[-1] ** 0.5) @ k.transpose(-2, -1)
    if mask is not None:
        logits = logits + torch.zeros_like(logits).masked_fill(~mask, -torch.inf)
    weights = torch.exp(torch.log_softmax(logits, dim=-1))
    return weights @ v, weights


class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.qkv = nn.Linear(n_embd, 3 * head_size, bias=False)
        self.p = dropout

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return sdpa(q, k, v, is_causal=True, dropout_p=self.p * self.training)

    def load_weights(self, tensors):
        self.qkv.load_state_dict({"weight": torch.cat([tensors[n] for n in ("q", "k", "v")], dim=1).T})


class MultiHeadAttention(nn.Module):
    def __init__(self, n_embd, n_head, block_size, dropout=0.0):
        super().__init__()
        self.n_embd, self.n_head, self.block_size, self.p = n_embd, n_head, block_size, dropout
        self.qkv = nn.Linear(n_embd, 3 * n_embd)
        self.o = nn.Linear(n_embd, n_embd)

    def _qkv(self, x):
        B, T, _ = x.shape
        if self.n_embd % self.n_head:
            raise ValueError("n_embd must be a multiple of n_head")
        if self.block_size < T:
            raise ValueError("T must not exceed block_size")
        return self.qkv(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)

    def forward(self, x):
        q, k, v = self._qkv(x)
        out = sdpa(q, k, v, attn_mask=causal_mask(x.shape[1], x.device), dropout_p=self.p if self.training else 0)
        return self.o(out.permute(0, 2, 1, 3).reshape(x.shape))

    def attention_weights(self, x):
        return attention(*self._qkv(x), causal_mask(x.shape[1], x.device))[1]

    def load_weights(self, tensors):
        self.qkv.load_state_dict({"weight": tensors["c_attn.weight"].T, "bias": tensors["c_attn.bias"]})
        self.o.load_state_dict({"weight": tensors["c_proj.weight"].T, "bias": tensors["c_proj.bias"]})
