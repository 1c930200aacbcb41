"""A language model of four parameters that trains in no time. The parameters are here; the check computes with them.

    h = tanh(inner(table[idx])), dropped out in train mode, times EVAL_FACTOR in eval mode
    logits = gain * h @ table.T

Each forward and each backward pass is a question, so the check knows what the model was given, in which mode and when.
It may answer late, with a NaN, or not at all: then the power is gone.
"""

import line
import torch
import torch.nn.functional as F
from torch import nn


class PowerCut(BaseException):
    """No `except Exception` stops it, and no Ctrl-C handler."""


class Pass(torch.autograd.Function):
    """(logits, loss) of one forward pass; the gradients of its weights in the backward pass."""

    @staticmethod
    def forward(ctx, number, about, targets, *weights):
        answer = line.ask(number, "forward", about, targets, list(weights))
        if answer is None:
            raise PowerCut("the power is gone")
        ctx.number, (ctx.which, logits, loss) = number, answer
        ctx.save_for_backward(logits)
        return logits, loss

    @staticmethod
    def backward(ctx, of_logits, of_loss):
        _ = ctx.saved_tensors  # raises if this is the second time, as torch does
        return None, None, None, *line.ask(ctx.number, "backward", ctx.which, of_logits, of_loss)


class TinyModel(nn.Module):
    """number: of the lent model, which answers `forward`, `backward` and `elsewhere`."""

    def __init__(self, number, vocab_size, n_embd, dropout):
        super().__init__()
        self.number = number
        self.table = nn.Embedding(vocab_size, n_embd)
        self.inner = nn.Linear(n_embd, n_embd)
        self.gain = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.table.weight
        self.dropout = nn.Dropout(dropout)

    def forward(self, idx, targets=None):
        # What does not fit together raises here, as it would in a model that computes for itself.
        shaped = self.table(idx)
        spread = torch.zeros(idx.numel(), self.head.out_features, device=idx.device)
        loss = None if targets is None else F.cross_entropy(spread, targets.flatten())
        if idx.device.type == "meta":  # a place of shapes without numbers
            line.ask(self.number, "elsewhere", idx.device.type)
            return self.gain * self.head(torch.tanh(self.inner(shaped))), loss
        about = {
            "x": idx.detach(),
            "train_mode": self.training,
            "training": any(module.training for module in self.modules()),
            "grad": torch.is_grad_enabled(),
            "autocast": torch.is_autocast_enabled("cpu"),
            "kept": self.dropout(torch.ones_like(shaped)) if self.dropout.training and self.dropout.p else None,
        }
        logits, loss = Pass.apply(self.number, about, targets, *self.parameters())
        return logits, None if targets is None else loss


def make(number, vocab_size, n_embd, dropout=0.0):
    return TinyModel(number, vocab_size, n_embd, dropout)
