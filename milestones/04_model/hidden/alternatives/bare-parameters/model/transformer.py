"""Both embeddings are bare Parameters, indexed and sliced; the loss is logsumexp minus a gather, masked."""

from dataclasses import dataclass

import torch
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
        self.words = nn.Parameter(0.02 * torch.randn(config.vocab_size, config.n_embd))
        self.places = nn.Parameter(0.01 * torch.randn(config.block_size, config.n_embd))
        self.layers = nn.ModuleList()
        for _ in range(config.n_layer):
            self.layers.append(Block(config.n_embd, config.n_head, config.block_size, config.dropout))
        self.last = LayerNorm(config.n_embd)

    def forward(self, idx, targets=None):
        if idx.shape[-1] > self.places.shape[0]:
            raise ValueError(f"{idx.shape[-1]} tokens do not fit into {self.places.shape[0]} positions")
        x = self.words[idx] + self.places[: idx.shape[-1]]
        for layer in self.layers:
            x = layer(x)
        logits = torch.einsum("btc,vc->btv", self.last(x), self.words)
        return logits, None if targets is None else self.loss(logits, targets)

    @staticmethod
    def loss(logits, targets):
        counted = targets != -1
        right = logits.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        surprise = torch.logsumexp(logits, dim=-1) - right
        return (surprise * counted).sum() / counted.sum()

    def num_parameters(self):
        return int(sum(torch.tensor(p.shape).prod() for p in self.parameters()))

    def load_weights(self, tensors):
        self.words.data.copy_(tensors["wte.weight"])
        self.places.data.copy_(tensors["wpe.weight"])
        self.last.load_weights({"weight": tensors["ln_f.weight"], "bias": tensors["ln_f.bias"]})
        for n, layer in enumerate(self.layers):
            layer.load_weights({k.split(".", 2)[2]: v for k, v in tensors.items() if k.startswith(f"h.{n}.")})
