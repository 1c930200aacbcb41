"""Judges that a model learns, and that it learns honestly.

Training is done on this side: the gradients come from the submission, the optimizer and the judged loss do not.
"""

import math

import torch
import torch.nn.functional as F

from .models import logits_of, need_logits, new_gpt

SIZES = {"block_size": 8, "vocab_size": 12, "n_layer": 2, "n_head": 3, "n_embd": 24}
V, LENGTH = SIZES["vocab_size"], SIZES["block_size"]

LEARNING_RATE = 1e-2  # large, but a model of this size learns safely with it
STEPS = 60
LEARNED = 0.15  # the loss in nats after STEPS steps on one batch; a right model falls from ln 12 = 2.48 to under 0.02

WINDOWS = 120  # batches of random tokens; a model that sees its targets may need 60 before it begins to use them
STANDARD_ERRORS = 6  # how far chance may bring the mean loss on random tokens under ln V: once in 1e9 items
ROUNDING = 1e-6  # of a float32 loss that is ln V exactly, as that of a model which gives every token the same logit


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on plain tensors; the submission only supplies gradients.

    Written out because torch.optim loads torch's compiler with its first optimizer, seconds of an item's time.
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

    def __init__(self, tensors, learning_rate):
        self.tensors = [tensor.clone() for tensor in tensors]
        self.learning_rate = learning_rate
        self.means = [torch.zeros_like(tensor) for tensor in tensors]
        self.squares = [torch.zeros_like(tensor) for tensor in tensors]
        self.steps = 0

    def step(self, gradients):
        """One step; a tensor whose gradient is None stays."""
        self.steps += 1
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                self._update(place, gradient)

    def _update(self, place, gradient):
        mean, square = self.means[place], self.squares[place]
        mean.mul_(self.BETA1).add_(gradient, alpha=1 - self.BETA1)
        square.mul_(self.BETA2).addcmul_(gradient, gradient, value=1 - self.BETA2)
        unbiased_mean = mean / (1 - self.BETA1**self.steps)
        unbiased_square = square / (1 - self.BETA2**self.steps)
        self.tensors[place] -= self.learning_rate * unbiased_mean / (unbiased_square.sqrt() + self.EPS)


def train(student, model, batches):
    """One step of Adam with the submission's gradients for each (idx, targets)."""
    adam = Adam(student.get_parameters(model), LEARNING_RATE)
    for idx, targets in batches:
        student.zero_grad(model)
        student.backward(model, idx, targets, pick=1)
        adam.step(student.gradients(model))
        student.set_parameters(model, adam.tensors)


def judged_losses(expect, what, model, idx, targets):
    """-log p of every target (B*T,) under the submission's logits."""
    logits = logits_of(model(idx))
    need_logits(expect, what, logits, (*idx.shape, V), dtype=None)
    return F.cross_entropy(logits.double().flatten(0, 1), targets.flatten(), reduction="none")


def test_overfit_one_batch(student, draw, expect):
    """A small model learns one batch by heart."""
    idx, targets = memorable_batch(draw)
    model = new_gpt(student, SIZES)
    model.eval()
    train(student, model, [(idx, targets)] * STEPS)
    losses = judged_losses(expect, "logits of the trained model", model, idx, targets)
    expect.below(
        f"the loss on one batch of {idx.numel()} tokens after {STEPS} steps",
        losses.mean().item(),
        LEARNED,
        record=False,
        rule=f"In {STEPS} steps of Adam a model must learn one small batch by heart.",
    )


def memorable_batch(draw):
    """Tokens and targets (4, LENGTH) that can be learned by heart; every token of the vocabulary is a target.

    No two rows begin with the same token, so every context is unique.
    """
    idx = torch.stack([draw.permutation(V) for _ in range(LENGTH)], dim=1)[:4].contiguous()
    rounds = math.ceil(idx.numel() / V)
    targets = torch.cat([draw.permutation(V) for _ in range(rounds)])[: idx.numel()]
    return idx, targets.view(idx.shape)


def test_no_free_lunch(student, draw, expect):
    """Nobody predicts independent random tokens: after training, the loss on new ones is not under ln V.

    The model is trained in train mode, as on rung 6, and judged in both: what leaks in training only is learned there.
    """
    model = new_gpt(student, SIZES)
    model.train()
    windows = draw.randint(0, V, (WINDOWS, 16, LENGTH + 1))
    fresh = draw.randint(0, V, (64, LENGTH + 1))
    train(student, model, [shifted(window) for window in windows])
    for mode, enter in (("train", model.train), ("eval", model.eval)):
        enter()
        losses = judged_losses(expect, f"logits in {mode} mode", model, *shifted(fresh))
        chance = STANDARD_ERRORS * losses.std().item() / math.sqrt(losses.numel())
        expect.above(
            f"the loss on new random tokens in {mode} mode",
            losses.mean().item(),
            math.log(V) - chance - ROUNDING,
            record=False,
            rule=f"Nobody can predict random tokens: the loss on new ones must not be under ln {V} = {math.log(V):.2f},"
            " except by chance.",
        )


def shifted(window):
    """(idx, targets) of tokens (B, T + 1)."""
    return window[:, :-1].contiguous(), window[:, 1:].contiguous()
