"""Head and MultiHeadAttention as the graders of this rung build them, and what several of those graders ask."""

import math

import torch

from milestones.hidden import influence
from milestones.hidden.loading import prepared

# Sizes are pairwise distinct wherever the mathematics allows it, so that no dimension can stand in for another.
HEAD_SIZES = [(2, 5, 12, 4, 7), (3, 7, 10, 6, 7), (4, 1, 6, 3, 9), (1, 1, 5, 2, 1)]  # B, T, C, D, block_size
MULTI_HEAD_SIZES = [  # B, T, C, H, block_size
    (2, 5, 12, 3, 7),
    (3, 7, 10, 2, 7),
    (4, 1, 6, 2, 9),
    (1, 4, 15, 5, 6),
    (2, 3, 5, 1, 4),
    (3, 6, 4, 4, 8),
    (1, 1, 8, 2, 1),
]


def build_head(student, given, block_size, *options):
    """A Head in float64 and eval mode, with these weights."""
    n_embd, head_size = given["q"].shape
    return prepared(student, student.model.attention.Head(n_embd, head_size, block_size, *options), given)


def build_multi_head(student, given, n_head, block_size, *options):
    """A MultiHeadAttention in float64 and eval mode, with these weights."""
    n_embd = given["c_proj.weight"].shape[0]
    module = student.model.attention.MultiHeadAttention(n_embd, n_head, block_size, *options)
    return prepared(student, module, given)


def is_floating(value, shape):
    """Whether it is a floating tensor of that shape."""
    return isinstance(value, torch.Tensor) and value.is_floating_point() and tuple(value.shape) == tuple(shape)


def finite_positions(out):
    """Bool (T,): which positions of an output (B, T, C) hold finite values. A mask that hides too much shows in it."""
    if not (isinstance(out, torch.Tensor) and out.ndim == 3 and out.is_floating_point()):
        return None
    return torch.isfinite(out).all(dim=2).all(dim=0)


def expect_registered(student, expect, name, module, n_embd, matrices):
    """The module registers at least as many values as its matrices hold; many more are a note for the diagnosis."""
    trainable = sum(math.prod(p["shape"]) for p in student.parameters(module) if p["requires_grad"])
    expect.true(
        f"the parameters of {name} hold at least {matrices} values",
        trainable >= matrices,
        rule="Every weight must be a registered parameter: no optimizer moves one that is not, and double() and "
        "to(device) pass it by.",
        saw=f"The parameters of {name} hold {trainable} trainable values; its matrices alone must hold {matrices}.",
    )
    expect.note(f"{name} has more than biases besides its matrices", trainable > matrices + 4 * n_embd)


def expect_shape(student, expect, name, module, x, shape):
    """The output has that shape, in the dtype of x: float32 in both modes, then float64."""
    rule = "The output must be a finite tensor of the documented shape, in the dtype of x."
    what = f"{name} of x {tuple(x.shape)}"
    expect.tensor(f"{what} in training mode", module(x.float()), shape=shape, dtype=torch.float32, rule=rule)
    module.eval()
    expect.tensor(f"{what} in eval mode", module(x.float()), shape=shape, dtype=torch.float32, rule=rule)
    module.double()
    out = module(x)
    expect.note(f"{what}: where it is finite", finite_positions(out))
    expect.tensor(f"{what} in float64", out, shape=shape, dtype=torch.float64, rule=rule)


def expect_causal(student, expect, name, module, x, noise):
    """Causal in eval mode and in training mode."""
    call = influence.caller(student, module)
    for mode, switch in (("eval", module.eval), ("training", module.train)):
        switch()
        influence.expect_causal(expect, call, x, noise, label=f"{name}, T = {x.shape[1]}, {mode} mode: ")
