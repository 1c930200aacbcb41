"""One transformer block from its parts: LayerNorm, FeedForward, and the two residual branches of Block.

The block is GPT-2's (Radford et al. 2019, section 2.3). LayerNorm is from Ba et al. 2016, GELU from Hendrycks and
Gimpel 2016.

Shapes: B batch, T time, C = n_embd. Every module here maps (..., C) to the same shape and keeps the input's dtype.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from model.attention import MultiHeadAttention

if TYPE_CHECKING:  # this file arrives only with milestone 7
    from model.cache import LayerCache


class LayerNorm(nn.Module):
    """Normalise each token by itself, over its C features, then scale and shift (Ba et al. 2016, section 3).

        y = (x - mean) / sqrt(var + eps) * weight + bias

    `mean` and `var` are taken over the last dimension only. The variance is the biased one (divide by C, not by C - 1)
    and `eps` stands inside the root. `weight` starts at one, `bias` at zero; both are parameters of shape (C,).
    The library's norms (nn.LayerNorm, F.layer_norm, F.group_norm, ...) are not allowed here: write the formula.
    """

    def __init__(self, n_embd: int, eps: float = 1e-5):
        super().__init__()
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., C) of any floating dtype -> the same shape and dtype."""
        ### BEGIN SOLUTION
        mean = x.mean(dim=-1, keepdim=True)  # (..., 1)
        variance = x.var(dim=-1, keepdim=True, correction=0)  # (..., 1)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias  # (..., C)
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copies `weight` (C,) and `bias` (C,). Adapt this if your attributes have other names."""
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])


class FeedForward(nn.Module):
    """The network for each token: C -> 4C -> C with a GELU between (Hendrycks and Gimpel 2016, section 2).

    The GELU is the *tanh form*, as in GPT-2:

        gelu(u) = 0.5 * u * (1 + tanh(sqrt(2 / pi) * (u + 0.044715 * u**3)))

    The form with the error function differs in the fourth digit, and the grader compares nine. Dropout acts on the
    result. Whether the two layers have biases is up to you.
    """

    def __init__(self, n_embd: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.c_fc = nn.Linear(n_embd, 4 * n_embd)
        self.c_proj = nn.Linear(4 * n_embd, n_embd)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., C) -> (..., C). Each token is treated alone."""
        ### BEGIN SOLUTION
        hidden = F.gelu(self.c_fc(x), approximate="tanh")  # (..., 4C)
        return self.dropout(self.c_proj(hidden))  # (..., C)
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copies `c_fc.weight` (C, 4C), `c_fc.bias` (4C,), `c_proj.weight` (4C, C) and `c_proj.bias` (C,).

        Matrices are given as (in, out), so that y = x @ W + b; nn.Linear stores (out, in), hence the transpose. A layer
        without a bias ignores a bias of zeros and raises ValueError for any other. Adapt this if your layout differs.
        """
        for name, layer in (("c_fc", self.c_fc), ("c_proj", self.c_proj)):
            with torch.no_grad():
                layer.weight.copy_(tensors[f"{name}.weight"].T)
                if layer.bias is not None:
                    layer.bias.copy_(tensors[f"{name}.bias"])
                elif tensors[f"{name}.bias"].any():
                    raise ValueError(f"{name} has no bias, so it cannot take one that is not zero")


class Block(nn.Module):
    """A pre-norm transformer block: attention, then feed-forward, each inside its own residual branch.

        x = x + attention(norm_1(x))
        x = x + feed_forward(norm_2(x))

    The two norms are two modules with weights of their own. The stream x itself is neither normalised nor dropped: only
    what goes into a branch is normalised, and dropout acts inside the branches. This is GPT-2's order (Radford et al.
    2019, section 2.3); Xiong et al. 2020 explain why it matters.
    """

    def __init__(self, n_embd: int, n_head: int, block_size: int, dropout: float = 0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.ln_1 = LayerNorm(n_embd)
        self.attn = MultiHeadAttention(n_embd, n_head, block_size, dropout)
        self.ln_2 = LayerNorm(n_embd)
        self.mlp = FeedForward(n_embd, dropout)
        ### END SOLUTION

    def forward(self, x: torch.Tensor, cache: "LayerCache | None" = None) -> torch.Tensor:
        """x (B, T, C) -> (B, T, C). If T > block_size, the attention raises ValueError.

        The tensor x itself is left as it was. `cache` belongs to milestone 7: one layer's keys and values, handed on to
        the attention. Until then it stays None.
        """
        ### BEGIN SOLUTION
        x = x + self.attn(self.ln_1(x), cache=cache)
        x = x + self.mlp(self.ln_2(x))
        return x
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Hands `ln_1.*`, `attn.*`, `ln_2.*` and `mlp.*` to the parts, each without its prefix."""
        for name, part in (("ln_1", self.ln_1), ("attn", self.attn), ("ln_2", self.ln_2), ("mlp", self.mlp)):
            prefix = f"{name}."
            part.load_weights(
                {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            )
