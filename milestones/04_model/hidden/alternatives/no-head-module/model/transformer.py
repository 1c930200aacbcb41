"""There is no head module: the logits are F.linear(x, wte.weight), and the loss is log_softmax and nll_loss."""

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
        self.token = nn.Embedding(config.vocab_size, config.n_embd)
        self.place = nn.Embedding(config.block_size, config.n_embd)
        self.blocks = nn.Sequential(
            *(Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer))
        )
        self.norm = LayerNorm(config.n_embd)
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, idx, targets=None):
        B, T = idx.shape
        if self.config.block_size < T:
            raise ValueError(f"sequence of {T} tokens, block_size {self.config.block_size}")
        x = self.token(idx) + self.place.weight[:T]
        logits = F.linear(self.norm(self.blocks(x)), self.token.weight)
        if targets is None:
            return logits, None
        log_probabilities = F.log_softmax(logits, dim=-1)
        return logits, F.nll_loss(log_probabilities.view(B * T, -1), targets.reshape(-1), ignore_index=-1)

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.token.weight.copy_(tensors["wte.weight"])
            self.place.weight.copy_(tensors["wpe.weight"])
        self.norm.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
        for n, block in enumerate(self.blocks):
            block.load_weights({k.removeprefix(f"h.{n}."): v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
