"""The tied matrix keeps nn.Linear's own initialisation, and GPTConfig is a plain, mutable dataclass with helpers."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from model.block import Block, LayerNorm


@dataclass
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.2

    @property
    def head_size(self):
        return self.n_embd // self.n_head

    def new_block(self):
        return Block(self.n_embd, self.n_head, self.block_size, self.dropout)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.places = nn.Linear(config.block_size, config.n_embd, bias=False)
        self.layers = nn.ModuleList(config.new_block() for _ in range(config.n_layer))
        self.norm = LayerNorm(config.n_embd)
        self.embedding_dropout = nn.Dropout(config.dropout)

    def forward(self, idx, targets=None):
        T = idx.shape[1]
        if self.config.block_size < T:
            raise ValueError("the input is longer than block_size")
        x = self.embedding_dropout(F.embedding(idx, self.head.weight) + self.places.weight[:, :T].T)
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.norm(x))
        return (logits, None) if targets is None else (logits, self.loss(logits, targets))

    def loss(self, logits, targets):
        ignored = targets.eq(-1)
        losses = F.cross_entropy(logits.mT, targets.masked_fill(ignored, 0), reduction="none")
        return losses.masked_select(~ignored).mean()

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    @torch.no_grad()
    def load_weights(self, tensors):
        self.head.weight.copy_(tensors["wte.weight"])
        self.places.weight.copy_(tensors["wpe.weight"].T)
        self.norm.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
        for n, layer in enumerate(self.layers):
            layer.load_weights({k.removeprefix(f"h.{n}."): v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
