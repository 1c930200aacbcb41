"""The embedding is a product with one-hot rows, and the shared matrix is stored as (C, V)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from model.block import Block, LayerNorm


@dataclass(frozen=True)
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.2


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shared = nn.Parameter(torch.empty(config.n_embd, config.vocab_size))
        self.places = nn.Parameter(torch.zeros(config.block_size, config.n_embd))
        self.blocks = nn.ModuleList(
            Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)
        )
        self.ln = LayerNorm(config.n_embd)
        nn.init.normal_(self.shared, std=0.01)

    def forward(self, idx, targets=None):
        _, T = idx.shape
        if self.config.block_size < T:
            raise ValueError(f"T={T} is longer than block_size={self.config.block_size}")
        x = F.one_hot(idx, self.config.vocab_size).to(self.shared.dtype) @ self.shared.T
        x = x + self.places.narrow(0, 0, T)
        for block in self.blocks:
            x = block(x)
        logits = self.ln(x) @ self.shared
        if targets is None:
            return logits, None
        keep = targets.ne(-1)
        return logits, F.cross_entropy(logits[keep], targets[keep])

    def num_parameters(self):
        total = 0
        for parameter in self.parameters():
            total += parameter.numel()
        return total

    def load_weights(self, tensors):
        with torch.no_grad():
            self.shared.copy_(tensors["wte.weight"].T)
            self.places.copy_(tensors["wpe.weight"])
        self.ln.load_weights({k[5:]: v for k, v in tensors.items() if k.startswith("ln_f.")})
        for n, block in enumerate(self.blocks):
            block.load_weights({k[len(f"h.{n}.") :]: v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
