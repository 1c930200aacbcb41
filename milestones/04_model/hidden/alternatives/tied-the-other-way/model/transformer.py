"""The embedding takes the head's Parameter, everything sits in one ModuleDict, and dropout acts on the embeddings."""

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
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(config.vocab_size, config.n_embd),
                wpe=nn.Embedding(config.block_size, config.n_embd),
                drop=nn.Dropout(config.dropout),
                h=nn.ModuleList(
                    [
                        Block(config.n_embd, config.n_head, config.block_size, config.dropout)
                        for _ in range(config.n_layer)
                    ]
                ),
                ln_f=LayerNorm(config.n_embd),
            )
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self._init)

    def _init(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.trunc_normal_(module.weight, std=0.02)

    def forward(self, idx, targets=None):
        length = idx.size(1)
        if length > self.config.block_size:
            raise ValueError("too many tokens for the position embedding")
        pos = torch.arange(length, dtype=torch.long, device=idx.device).unsqueeze(0)
        x = self.transformer.drop(self.transformer.wte(idx) + self.transformer.wpe(pos))
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1)
        return logits, loss

    def num_parameters(self):
        seen = {id(p): p.numel() for p in self.parameters()}
        return sum(seen.values())

    @torch.no_grad()
    def load_weights(self, tensors):
        for name in ("wte", "wpe"):
            self.transformer[name].weight.copy_(tensors[name + ".weight"])
        for key, part in [("ln_f", self.transformer.ln_f)] + [(f"h.{i}", b) for i, b in enumerate(self.transformer.h)]:
            part.load_weights({k[len(key) + 1 :]: v for k, v in tensors.items() if k.startswith(key + ".")})
