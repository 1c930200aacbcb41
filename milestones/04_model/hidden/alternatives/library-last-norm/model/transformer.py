"""The last norm is nn.LayerNorm, the blocks are chained by functools.reduce, and the config check is a function."""

import functools
from dataclasses import dataclass

import torch
from torch import nn

from model.block import Block


@dataclass(frozen=True)
class GPTConfig:
    block_size: int = 256
    vocab_size: int = 65
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    dropout: float = 0.2


def check_length(length, config):
    if length > config.block_size:
        raise ValueError(f"cannot place {length} tokens: config.block_size is {config.block_size}")


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        C = config.n_embd
        self.embeddings = nn.ModuleList([nn.Embedding(config.vocab_size, C), nn.Embedding(config.block_size, C)])
        self.body = nn.ModuleList(
            Block(C, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)
        )
        self.norm = nn.LayerNorm(C)
        self.unembed = nn.Linear(C, config.vocab_size, bias=False)
        bound = (6 / (config.vocab_size + C)) ** 0.5 / 10
        nn.init.uniform_(self.unembed.weight, -bound, bound)
        self.embeddings[0].weight = self.unembed.weight

    def forward(self, idx, targets=None):
        check_length(idx.shape[1], self.config)
        what, where = self.embeddings
        x = what(idx) + where(torch.arange(idx.shape[1], device=idx.device))[None, :, :]
        x = functools.reduce(lambda stream, block: block(stream), self.body, x)
        logits = self.unembed(self.norm(x))
        if targets is None:
            return logits, None
        flat = targets.flatten()
        kept = torch.where(flat != -1)[0]
        probabilities = torch.softmax(logits.flatten(0, 1)[kept], dim=-1)
        return logits, -torch.log(probabilities[torch.arange(len(kept), device=idx.device), flat[kept]]).mean()

    def num_parameters(self):
        return sum(p.numel() for _, p in self.named_parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.unembed.weight.copy_(tensors["wte.weight"])
            self.embeddings[1].weight.copy_(tensors["wpe.weight"])
            self.norm.weight.copy_(tensors["ln_f.weight"])
            self.norm.bias.copy_(tensors["ln_f.bias"])
        for n, block in enumerate(self.body):
            block.load_weights({k.removeprefix(f"h.{n}."): v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
