"""One tensor (layers, 2, B, H, block_size, D) made in advance is the cache, with the number of positions filled."""

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
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            [Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)]
        )
        self.ln_f = LayerNorm(config.n_embd)
        for parameter in (self.wte.weight, self.wpe.weight):
            nn.init.normal_(parameter, std=0.02)

    def embed(self, idx, start):
        end = start + idx.shape[1]
        if end > self.config.block_size:
            raise ValueError(f"{end} positions, but block_size is {self.config.block_size}")
        return self.drop(self.wte(idx) + self.wpe.weight[start:end])

    def answer(self, x, targets):
        logits = F.linear(self.ln_f(x), self.wte.weight)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1)

    def forward(self, idx, targets=None, cache=None):
        start = 0 if cache is None else cache["filled"]
        x = self.embed(idx, start)
        for number, block in enumerate(self.blocks):
            x = block(x, None if cache is None else (cache["buffer"][number], start))
        if cache is not None:
            cache["filled"] += idx.shape[1]
        return self.answer(x, targets)

    def new_cache(self, batch_size):
        c = self.config
        shape = c.n_layer, 2, batch_size, c.n_head, c.block_size, c.n_embd // c.n_head
        return {"buffer": torch.full(shape, torch.nan).to(self.wpe.weight), "filled": 0}

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.wte.weight.copy_(tensors["wte.weight"])
            self.wpe.weight.copy_(tensors["wpe.weight"])
        for number, block in enumerate(self.blocks):
            start = f"h.{number}."
            block.load_weights({n[len(start) :]: t for n, t in tensors.items() if n.startswith(start)})
        self.ln_f.load_weights({n[5:]: t for n, t in tensors.items() if n.startswith("ln_f.")})
