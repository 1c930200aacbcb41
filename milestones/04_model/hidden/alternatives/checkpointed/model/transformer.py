"""In train mode every block runs under activation checkpointing; the sum of embeddings is one concatenated look-up."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from model.block import Block, LayerNorm


@dataclass(frozen=True, kw_only=True)
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
        self.wte = nn.Parameter(torch.empty(config.vocab_size, config.n_embd).normal_(0, 0.02))
        self.wpe = nn.Parameter(torch.empty(config.block_size, config.n_embd).normal_(0, 0.02))
        self.h = nn.ModuleList(
            Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)
        )
        self.ln_f = LayerNorm(config.n_embd)

    def forward(self, idx, targets=None):
        T = idx.shape[1]
        if self.config.block_size < T:
            raise ValueError(f"{T} tokens for {self.config.block_size} positions")
        table = torch.cat([self.wte, self.wpe])
        places = torch.arange(self.config.vocab_size, self.config.vocab_size + T, device=idx.device)
        x = F.embedding(torch.stack([idx, places.expand_as(idx)]), table).sum(dim=0)
        for block in self.h:
            x = checkpoint(block, x, use_reentrant=False) if self.training else block(x)
        logits = self.ln_f(x) @ self.wte.T
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, self.config.vocab_size), targets.view(-1), ignore_index=-1)

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.wte.copy_(tensors["wte.weight"])
            self.wpe.copy_(tensors["wpe.weight"])
        self.ln_f.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
        for n, block in enumerate(self.h):
            block.load_weights({k.removeprefix(f"h.{n}."): v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
