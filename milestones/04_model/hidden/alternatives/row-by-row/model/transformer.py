"""forward works through the batch row by row, with blocks from a dictionary; slow, and right."""

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
        self.emb = nn.Embedding.from_pretrained(torch.randn(config.vocab_size, config.n_embd) / 50, freeze=False)
        self.pos = nn.Embedding.from_pretrained(torch.randn(config.block_size, config.n_embd) / 50, freeze=False)
        self.stack = nn.ModuleDict()
        for n in range(config.n_layer):
            self.stack[f"layer{n}"] = Block(config.n_embd, config.n_head, config.block_size, dropout=config.dropout)
        self.final = LayerNorm(config.n_embd)
        self.drop = nn.Dropout(config.dropout)

    def one(self, row):
        x = self.drop(self.emb(row) + self.pos(torch.arange(len(row), device=row.device)))[None]
        for n in range(self.config.n_layer):
            x = self.stack[f"layer{n}"](x)
        return self.final(x)[0] @ self.emb.weight.t()

    def forward(self, idx, targets=None):
        if idx.shape[1] > self.config.block_size:
            raise ValueError(f"{idx.shape[1]} > {self.config.block_size}")
        logits = torch.stack([self.one(row) for row in idx])
        if targets is None:
            return logits, None
        losses = F.cross_entropy(logits.permute(0, 2, 1), targets, ignore_index=-1, reduction="none")
        return logits, losses.sum() / (targets >= 0).sum()

    def num_parameters(self):
        return sum(map(torch.numel, self.parameters()))

    def load_weights(self, tensors):
        def below(prefix):
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.emb.load_state_dict({"weight": tensors["wte.weight"]})
        self.pos.load_state_dict({"weight": tensors["wpe.weight"]})
        self.final.load_weights(below("ln_f."))
        for n in range(self.config.n_layer):
            self.stack[f"layer{n}"].load_weights(below(f"h.{n}."))
