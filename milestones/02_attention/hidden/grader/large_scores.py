"""Inputs and weights under which the scores rise along the keys from -50 to 50.

A causal mask then always hides the highest scores of a row, and leaves the lowest visible.
"""

import math

import torch

from milestones.hidden import weights

LARGEST = 50.0


def direction(draw, size):
    """A random unit vector, float64 (size,)."""
    vector = draw.randn(size)
    return vector / vector.norm()


def rising_queries_and_keys(draw, T, D):
    """q and k, float64 (T, D): the scaled score of each query with key s is the s-th of T steps from -50 to 50."""
    along = direction(draw, D)
    steps = torch.linspace(-LARGEST, LARGEST, T, dtype=torch.float64)
    return along.expand(T, D) * math.sqrt(D), along * steps[:, None]


def rising_input(draw, B, T, C):
    """Float64 (B, T, C): channel 0 is 1, channel 1 rises from -1 to 1, the rest is noise."""
    x = draw.randn(B, T, C)
    x[:, :, 0] = 1
    x[:, :, 1] = torch.linspace(-1, 1, T)
    return x


def rising_maps(draw, C, D):
    """Wq and Wk (C, D) under which every scaled score of `rising_input` is 50 times the key's channel 1."""
    along = direction(draw, D)
    to_q, to_k = torch.zeros(C, D, dtype=torch.float64), torch.zeros(C, D, dtype=torch.float64)
    to_q[0], to_k[1] = along * math.sqrt(D), along * LARGEST
    return to_q, to_k


def rising_head_weights(draw, C, D):
    """For Head, with random values."""
    to_q, to_k = rising_maps(draw, C, D)
    return weights.head_weights(draw, C, D) | {"q": to_q, "k": to_k}


def rising_multi_head_weights(draw, C, H):
    """For MultiHeadAttention, with random values and a random output projection."""
    given = weights.multi_head_weights(draw, C)
    maps = [rising_maps(draw, C, C // H) for _ in range(H)]
    to_q = torch.cat([to_q for to_q, _ in maps], dim=1)
    to_k = torch.cat([to_k for _, to_k in maps], dim=1)
    to_v = given["c_attn.weight"][:, 2 * C :]
    return given | {"c_attn.weight": torch.cat([to_q, to_k, to_v], dim=1)}
