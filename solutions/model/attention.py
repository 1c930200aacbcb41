"""Attention: every position looks back and takes a weighted average of what it finds.

This file goes from the plain average to the layer of a GPT in four steps. `causal_average` weighs the whole past
equally. `causal_mask` says what the past is. `attention` lets queries and keys choose the weights. `Head` and
`MultiHeadAttention` learn the queries, keys and values.

The formulas are those of Vaswani et al. 2017, "Attention Is All You Need", sections 3.2.1 and 3.2.2.

Shapes: B batch, T time, S source time, C = n_embd, H = n_head, D = head_size = C / H.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def causal_average(x: torch.Tensor) -> torch.Tensor:
    """The mean of each position and everything before it.

    x: floating (B, T, C). Returns (B, T, C) of the same dtype, where out[b, t] = mean(x[b, 0], ..., x[b, t]).
    x itself is left as it was.
    """
    ### BEGIN SOLUTION
    counts = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)  # (T,)
    return x.cumsum(dim=1) / counts[:, None]  # (B, T, C) / (T, 1)
    ### END SOLUTION


def causal_mask(T: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Who may look at whom: bool (T, T), True where position t (row) may attend to position s (column).

    A position sees itself and its past, s <= t. The mask is made on `device`; None means torch's default device.
    """
    ### BEGIN SOLUTION
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()
    ### END SOLUTION


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1).

    out = softmax(q kᵀ / sqrt(D)) v. A query gives no weight at all to a position that the mask hides from it.

    q: (..., T, D), k: (..., S, D), v: (..., S, Dv), with the same leading dimensions, as many as you like.
    mask: bool (T, S), True = may attend, with at least one True in each row; None hides nothing.
    Returns (out, weights): out (..., T, Dv) and weights (..., T, S), whose rows sum to 1, in the inputs' dtype.
    `F.scaled_dot_product_attention` is not allowed here.
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = F.softmax(scores, dim=-1)  # (..., T, S)
    return weights @ v, weights
    ### END SOLUTION


class Head(nn.Module):
    """One head of causal self-attention: queries, keys and values are learned linear maps of the same x.

    Dropout acts on the attention weights, in training mode only.

    `load_weights` below expects `self.query`, `self.key` and `self.value`, each nn.Linear(n_embd, head_size,
    bias=False). If you name or build them differently, adapt it.
    """

    def __init__(self, n_embd: int, head_size: int, block_size: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(block_size), persistent=False)  # cut to T in forward
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, T, C) with T <= block_size -> (B, T, D), of the same dtype."""
        ### BEGIN SOLUTION
        T = x.shape[1]
        v = self.value(x)  # (B, T, D)
        _, weights = attention(self.query(x), self.key(x), v, self.mask[:T, :T])  # (B, T, T)
        return self.dropout(weights) @ v
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Puts given numbers into the layer: "q", "k" and "v", each (C, D), so that q = x @ tensors["q"]."""
        with torch.no_grad():
            for name, linear in (("q", self.query), ("k", self.key), ("v", self.value)):
                linear.weight.copy_(tensors[name].T)  # nn.Linear stores (out, in)


class MultiHeadAttention(nn.Module):
    """Causal self-attention with several heads side by side (Vaswani et al. 2017, section 3.2.2).

    The channels of q, k and v are cut into n_head slices of head_size = C / n_head. Head h works on slice h alone.
    The results are put side by side again and mixed by one more linear map.

    Dropout acts on the attention weights and on the result, in training mode only.

    `load_weights` below expects `self.c_attn`, nn.Linear(C, 3 * C), whose output is q, k and v side by side, and
    `self.c_proj`, nn.Linear(C, C). If you name or build them differently, adapt it.

    Raises ValueError if n_embd is not a multiple of n_head.
    """

    def __init__(self, n_embd: int, n_head: int, block_size: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        if n_embd % n_head != 0:
            raise ValueError(f"n_embd = {n_embd} can't be cut into n_head = {n_head} equal slices")
        self.n_head = n_head
        self.block_size = block_size
        self.dropout = dropout
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.result_dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def _heads(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Queries, keys and values of every head: x (B, T, C) -> three of (B, H, T, D).

        This helper serves the two methods below. You may rename it or do without it.
        """
        ### BEGIN SOLUTION
        B, T, C = x.shape
        slices = (B, T, self.n_head, C // self.n_head)
        return [part.view(slices).transpose(1, 2) for part in self.c_attn(x).split(C, dim=-1)]
        ### END SOLUTION

    def forward(self, x: torch.Tensor, cache=None) -> torch.Tensor:
        """x (B, T, C) -> (B, T, C), of the same dtype. Raises ValueError if T > block_size.

        cache: stays None until rung 7. There it is a `model.cache.LayerCache`, whose `append(k, v)` returns the
        keys and values of all S positions so far, including the T new ones. Then x holds the last T of
        S <= block_size positions, and their rows of the mask are the last T of the (S, S) one.
        """
        ### BEGIN SOLUTION
        q, k, v = self._heads(x)  # each (B, H, T, D)
        if cache is not None:
            k, v = cache.append(k, v)  # each (B, H, S, D)
        T, S = q.shape[-2], k.shape[-2]
        if self.block_size < S:
            raise ValueError(f"{S} positions do not fit into block_size = {self.block_size}")
        past = causal_mask(S, x.device)[-T:] if T < S else None  # without a cache, is_causal says the same
        dropout_p = self.dropout if self.training else 0.0
        # The fused kernel computes what attention() does, without keeping the (T, S) weights in memory.
        out = F.scaled_dot_product_attention(q, k, v, past, dropout_p, is_causal=past is None)  # (B, H, T, D)
        out = out.transpose(1, 2).reshape(x.shape)  # (B, H, T, D) -> (B, T, H, D) -> (B, T, C)
        return self.result_dropout(self.c_proj(out))
        ### END SOLUTION

    def attention_weights(self, x: torch.Tensor) -> torch.Tensor:
        """How much each position looks at every other: x (B, T, C) -> (B, H, T, T), without dropout."""
        ### BEGIN SOLUTION
        q, k, v = self._heads(x)
        _, weights = attention(q, k, v, causal_mask(x.shape[1], x.device))
        return weights
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Puts given numbers into the layer, by GPT-2's names; matrices are (in, out), so that y = x @ W + b.

        "c_attn.weight" (C, 3C: q | k | v, in each the heads side by side), "c_attn.bias" (3C,),
        "c_proj.weight" (C, C), "c_proj.bias" (C,). A layer without biases ignores those that are zero and raises
        ValueError for others.
        """
        with torch.no_grad():
            for name, linear in (("c_attn", self.c_attn), ("c_proj", self.c_proj)):
                linear.weight.copy_(tensors[f"{name}.weight"].T)  # nn.Linear stores (out, in)
                bias = tensors[f"{name}.bias"]
                if linear.bias is not None:
                    linear.bias.copy_(bias)
                elif bias.any():
                    raise ValueError(f"this layer has no {name}.bias, and the given one is not zero")
