"""Layers form a linked list: each link holds a block and the rest of the stack."""

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


class Link(nn.Module):
    def __init__(self, config, remaining):
        super().__init__()
        self.block = Block(config.n_embd, config.n_head, config.block_size, config.dropout)
        self.rest = Link(config, remaining - 1) if remaining > 1 else LayerNorm(config.n_embd)

    def forward(self, x):
        return self.rest(self.block(x))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.stack = Link(config, config.n_layer)
        self.wte.weight.data.mul_(0.02)
        self.wpe.weight.data.mul_(0.02)

    def forward(self, idx, targets=None):
        T = idx.shape[1]
        if self.config.block_size < T:
            raise ValueError(f"block_size is {self.config.block_size}, the input has {T} tokens")
        position = torch.cumsum(torch.ones_like(idx), dim=1) - 1
        logits = self.stack(self.wte(idx) + self.wpe(position)) @ self.wte.weight.T
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1), ignore_index=-1)

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.wte.weight.copy_(tensors["wte.weight"])
            self.wpe.weight.copy_(tensors["wpe.weight"])
        link = self.stack
        for n in range(self.config.n_layer):
            link.block.load_weights({k[len(f"h.{n}.") :]: v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
            link = link.rest
        link.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
