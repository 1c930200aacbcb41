"""Every branch starts silent (its last matrix is zero), positions come from a buffer, and the blocks have no biases."""

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


def remove_biases(block):
    for module in block.modules():
        if isinstance(module, nn.Linear):
            module.register_parameter("bias", None)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.h = nn.ModuleList(
            [Block(config.n_embd, config.n_head, config.block_size, config.dropout) for _ in range(config.n_layer)]
        )
        self.ln_f = LayerNorm(config.n_embd)
        self.register_buffer("positions", torch.arange(config.block_size), persistent=False)
        for embedding in (self.wte, self.wpe):
            nn.init.normal_(embedding.weight, std=0.02)
        for block in self.h:
            remove_biases(block)
            for name, parameter in block.named_parameters():
                if name.endswith("c_proj.weight"):
                    nn.init.zeros_(parameter)

    def forward(self, idx, targets=None):
        T = idx.shape[1]
        if not self.config.block_size >= T:
            raise ValueError(f"at most {self.config.block_size} tokens, got {T}")
        x = self.wpe(self.positions[:T]).expand(*idx.shape, -1) + self.wte(idx)
        for block in self.h:
            x = block(x)
        logits = torch.matmul(self.ln_f(x), self.wte.weight.mT)
        loss = (
            None if targets is None else F.cross_entropy(logits.flatten(end_dim=1), targets.view(-1), ignore_index=-1)
        )
        return logits, loss

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def load_weights(self, tensors):
        with torch.no_grad():
            self.wte.weight.copy_(tensors["wte.weight"])
            self.wpe.weight.copy_(tensors["wpe.weight"])
        self.ln_f.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
        for n, block in enumerate(self.h):
            block.load_weights({k.removeprefix(f"h.{n}."): v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
