"""Rung 7: the KV cache: the keys and values that attention has computed for earlier positions, kept for the next call.

It works because no token looks to the right, so the key and the value of a position never change (Shazeer 2019). The
layout is yours. The graders ask only that `GPT.new_cache(batch_size)` returns something that `GPT.forward(idx,
cache=...)` can use, and that each new cache is an empty one. You will also change a few lines of `model/attention.py`,
`model/block.py` and `model/transformer.py`.

Shapes: B batch, H = n_head, S positions so far, T new positions, D = head_size.
"""

import torch


class LayerCache:
    """The keys and values of one attention layer, for all positions seen so far. Starts empty."""

    def __init__(self):
        ### BEGIN SOLUTION
        self.k: torch.Tensor | None = None  # (B, H, S, D)
        self.v: torch.Tensor | None = None  # (B, H, S, D)
        ### END SOLUTION

    @property
    def length(self) -> int:
        """How many positions are kept."""
        ### BEGIN SOLUTION
        return 0 if self.k is None else self.k.shape[-2]
        ### END SOLUTION

    def append(self, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keeps k and v (B, H, T, D) of the T new positions; returns those of all S positions so far (B, H, S, D)."""
        ### BEGIN SOLUTION
        if self.k is not None and self.v is not None:
            k, v = torch.cat([self.k, k], dim=-2), torch.cat([self.v, v], dim=-2)
        self.k, self.v = k, v
        return k, v
        ### END SOLUTION


class KVCache:
    """One LayerCache for each of the model's layers, in `layers`."""

    def __init__(self, n_layer: int):
        ### BEGIN SOLUTION
        self.layers = [LayerCache() for _ in range(n_layer)]
        ### END SOLUTION

    @property
    def length(self) -> int:
        """How many positions the model has seen: the position of the next token."""
        ### BEGIN SOLUTION
        return self.layers[0].length
        ### END SOLUTION
