"""The cache is the state of the attention modules; new_cache clears it and hands out a token."""

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
        past = self.blocks[0].attn.past
        x = self.embed(idx, 0 if cache is None or past is None else past[0].shape[-2])
        for block in self.blocks:
            x = block(x, cache=cache)
        return self.answer(x, targets)

    def new_cache(self, batch_size):
        for block in self.blocks:
            block.attn.forget()
        return "the modules remember"

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
