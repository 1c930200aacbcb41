"""A language model of four parameters that trains in no time, and tells what it was given.

    h = tanh(inner(table[idx])), dropped out in train mode, times EVAL_FACTOR in eval mode
    logits = gain * h @ table.T

Its mode is therefore visible in its loss. It can be slow, fail, or give a NaN at a chosen forward pass of training. It
holds no expected value: sizes and weights are inputs of the check.
"""

import math
import time

import torch
import torch.nn.functional as F
from torch import nn

EVAL_FACTOR = 0.25


class PowerCut(BaseException):
    """No `except Exception` stops it, and no Ctrl-C handler."""


class Record(list):
    """One list for a model and for all copies of it: who measures a copy is seen all the same."""

    def __deepcopy__(self, memo):
        return self


class TinyModel(nn.Module):
    def __init__(self, vocab_size, n_embd, dropout, nan_at, power_cut_at, pauses):
        super().__init__()
        self.table = nn.Embedding(vocab_size, n_embd)
        self.inner = nn.Linear(n_embd, n_embd)
        self.gain = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.table.weight
        self.dropout = nn.Dropout(dropout)
        self.nan_at, self.power_cut_at, self.pauses = nan_at, power_cut_at, pauses
        self.passes = Record()  # of each forward pass: what it got, in which mode, and when
        self.events = Record()  # "forward" and "backward" in order
        self.training_passes = 0

    def forward(self, idx, targets=None):
        learning = self.training and torch.is_grad_enabled()
        number = self.training_passes
        self.passes.append(
            {
                "x": idx.detach().cpu() if idx.device.type != "meta" else None,
                "y": None if targets is None or targets.device.type == "meta" else targets.detach().cpu(),
                "device": idx.device.type,
                "training": any(module.training for module in self.modules()),
                "grad": torch.is_grad_enabled(),
                "time": time.perf_counter(),
            }
        )
        if self.pauses is not None:
            time.sleep(self.pauses[2] if not learning else self.pauses[min(number, 1)])
        if learning:
            self.training_passes += 1
            if number == self.power_cut_at:
                raise PowerCut("the power is gone")
        h = self.dropout(torch.tanh(self.inner(self.table(idx))))
        logits = self.gain * self.head(h if self.training else EVAL_FACTOR * h)
        if logits.requires_grad:
            self.events.append("forward")
            logits.register_hook(lambda _: self.events.append("backward"))
        if learning and number == self.nan_at:
            logits = logits * math.nan
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten())
        self.passes[-1]["loss"] = loss.item() if loss.device.type != "meta" else None
        return logits, loss


def make(vocab_size, n_embd, dropout=0.0, nan_at=None, power_cut_at=None, pauses=None):
    """`nan_at`, `power_cut_at`: which forward pass of training, from 0. `pauses`: seconds of the first forward pass of
    training, of the later ones, and of all others."""
    return TinyModel(vocab_size, n_embd, dropout, nan_at, power_cut_at, pauses)
