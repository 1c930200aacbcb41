"""The whole language model: embeddings, n_layer blocks, a last norm, and a head tied to the token embedding.

The model is GPT-2 (Radford et al. 2019, section 2.3). The tied head is from Press and Wolf 2017.

Shapes: B batch, T time, C = n_embd, V = vocab_size. `idx` and `targets` are int64 (B, T).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from model.block import Block, LayerNorm

if TYPE_CHECKING:  # this file arrives only with milestone 7
    from model.cache import KVCache


@dataclass(frozen=True)
class GPTConfig:
    """The numbers that define a model. Two models in one process may have two different configurations."""

    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.2


class GPT(nn.Module):
    """A decoder-only transformer (Radford et al. 2019, section 2.3).

        x = wte[idx] + wpe[position]          positions count from 0; then dropout
        x = block(x)                          n_layer times, each with its own weights
        logits = ln_f(x) @ wte.T              the head *is* the token embedding: one Parameter, used twice

    Suggested first weights are GPT-2's: normal with a standard deviation of 0.02, biases zero, and the last matrix of
    each residual branch smaller by 1 / sqrt(2 * n_layer). Others are fine, if the first loss is within 10 % of ln V.
    """

    config: GPTConfig

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        ### BEGIN SOLUTION
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(
            Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)
        )
        self.ln_f = LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        self._initialise()
        ### END SOLUTION

    ### BEGIN SOLUTION
    def _initialise(self) -> None:
        """Gives every parameter GPT-2's first numbers; the norms keep their own weight of one."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith("c_proj.weight"):
                # Each block adds to the stream twice: without this factor the stream would grow with the depth.
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    ### END SOLUTION
    def forward(
        self, idx: torch.Tensor, targets: torch.Tensor | None = None, cache: "KVCache | None" = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """idx (B, T) -> (logits (B, T, V), loss). Raises ValueError if T > block_size.

        Without targets the loss is None. With targets (B, T), already shifted by one, it is the mean cross-entropy in
        nats over the targets that are not -1. A target of -1 is ignored.

        `cache` belongs to milestone 7; until then it stays None. It holds the keys and values of earlier positions: the
        first new token stands at position cache.length, and cache.length + T must not exceed block_size.
        """
        ### BEGIN SOLUTION
        start = 0 if cache is None else cache.length
        end = start + idx.shape[1]
        if end > self.config.block_size:
            raise ValueError(f"{end} positions do not fit: block_size is {self.config.block_size}")
        positions = torch.arange(start, end, device=idx.device)  # (T,)
        x = self.dropout(self.wte(idx) + self.wpe(positions))  # (B, T, C) + (T, C) -> (B, T, C)
        for layer, block in enumerate(self.h):
            x = block(x, cache=None if cache is None else cache.layers[layer])
        logits = self.lm_head(self.ln_f(x))  # (B, T, V)
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)  # ()
        return logits, loss
        ### END SOLUTION

    def num_parameters(self) -> int:
        """How many numbers training adjusts. Each Parameter counts once, however often it is used."""
        ### BEGIN SOLUTION
        return sum(parameter.numel() for parameter in self.parameters())
        ### END SOLUTION

    def new_cache(self, batch_size: int) -> "KVCache":
        """Milestone 7: an empty cache of keys and values for `batch_size` rows, to pass to `forward`."""
        ### BEGIN SOLUTION
        from model.cache import KVCache  # imported here because the file arrives only with milestone 7

        return KVCache(self.config.n_layer)
        ### END SOLUTION

    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copies weights under GPT-2's names, every matrix as (in, out). Adapt this if your layout differs.

        `wte.weight` (V, C), `wpe.weight` (block_size, C), then `h.N.ln_1.*`, `h.N.attn.*`, `h.N.ln_2.*` and
        `h.N.mlp.*` for each block N from 0, and `ln_f.*`. There is no tensor for the head: it is tied to `wte`.
        """
        with torch.no_grad():
            self.wte.weight.copy_(tensors["wte.weight"])
            self.wpe.weight.copy_(tensors["wpe.weight"])
        parts = [("ln_f.", self.ln_f), *((f"h.{n}.", block) for n, block in enumerate(self.h))]
        for prefix, part in parts:
            part.load_weights(
                {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            )
