"""The tiny model that a submission trains: its stub over there holds the weights, and asks here for every pass.

So what it was given, in which mode and when is a record of this side. It may be slow, fail, or give a NaN at a chosen
forward pass of training.
"""

import math
import time

import torch
import torch.nn.functional as F

from .tiny_model import C, V, logits_of

MAX_IDS = 1 << 16  # in one pass
MAX_OPEN = 64  # forward passes that still await their backward pass


class LentModel:
    """`nan_at`, `power_cut_at`: which forward pass of training, from 0. `pauses`: seconds of the first forward pass of
    training, of the later ones, and of all others."""

    answers = frozenset({"forward", "backward", "elsewhere"})

    def __init__(self, nan_at=None, power_cut_at=None, pauses=None):
        self.nan_at, self.power_cut_at, self.pauses = nan_at, power_cut_at, pauses
        self.passes = []  # of each forward pass: x, y, device, training, grad, time, loss
        self.events = []  # "forward" and "backward" of passes that have gradients, in order
        self.training_passes = 0
        self._open = {}  # pass -> (its weights, what has their graph)

    def elsewhere(self, device):
        """A forward pass on a device without numbers."""
        self.passes.append(
            {
                "x": None,
                "y": None,
                "device": str(device)[:20],
                "training": False,
                "grad": False,
                "time": 0.0,
                "loss": None,
            }
        )

    def forward(self, about, targets, weights):
        """[the number of the pass, logits, loss]; a loss of 0 if there are no targets. None if the power is gone."""
        if about["x"].numel() > MAX_IDS:
            raise ValueError("nobody trains on so many ids at once")
        which, learning = len(self.passes), bool(about["train_mode"] and about["grad"])
        self.passes.append(
            {
                "x": about["x"],
                "y": targets,
                "device": "cpu",
                "training": bool(about["training"]),
                "grad": bool(about["grad"]),
                "time": time.perf_counter(),
                "loss": None,
            }
        )
        if self.pauses is not None:
            time.sleep(self.pauses[2] if not learning else self.pauses[min(self.training_passes, 1)])
        number = self.training_passes
        self.training_passes += learning
        if learning and number == self.power_cut_at:
            return None
        with torch.set_grad_enabled(bool(about["grad"])):
            leaves = [weight.requires_grad_(bool(about["grad"])) for weight in weights]
            logits, loss = self._computed(leaves, about, targets, spoiled=learning and number == self.nan_at)
        if targets is not None:
            self.passes[-1]["loss"] = loss.item()
        if logits.requires_grad:
            self.events.append("forward")
            self._open[which] = leaves, logits, loss
            self._open.pop(which - MAX_OPEN, None)
        return [which, logits, loss]

    def _computed(self, weights, about, targets, *, spoiled):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(about["autocast"])):
            logits = logits_of(weights, about["x"], bool(about["train_mode"]), about["kept"])
            logits = logits * math.nan if spoiled else logits
            loss = torch.zeros(()) if targets is None else F.cross_entropy(logits.flatten(0, -2), targets.flatten())
        return logits, loss

    def backward(self, which, of_logits, of_loss):
        """The gradients of the weights, given those of what the pass returned."""
        leaves, logits, loss = self._open.pop(which)
        self.events.append("backward")
        outputs, given = [logits], [of_logits]
        if loss.requires_grad:
            outputs, given = [*outputs, loss], [*given, of_loss]
        return list(torch.autograd.grad(outputs, leaves, given, allow_unused=True))


def stub_of(student, **options):
    """The stub of a new LentModel with these options; its weights are drawn over there."""
    dropout = options.pop("dropout", 0.0)
    return student.instrument("tiny_model", V, C, dropout, asks=LentModel(**options))


def new_model(student, weights, dtype="float64", **options):
    """The same with these weights."""
    model = stub_of(student, **options)
    if dtype == "float64":
        model.double()
    student.set_parameters(model, weights)
    return model


def passes_of(student, model):
    """What it was given until now, forward pass by forward pass."""
    return list(student.behind(model).passes)


def is_update(forward):
    """Whether a forward pass belongs to an update: in train mode, and with gradients on."""
    return forward["training"] and forward["grad"]


def training_passes(student, model):
    """The forward passes of all updates."""
    return [forward for forward in passes_of(student, model) if is_update(forward)]
