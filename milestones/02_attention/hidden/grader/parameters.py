"""Judges whether Head and MultiHeadAttention can learn: registered weights, gradients, a varied start."""

import torch

from autograder.grading.expect import is_close
from milestones.hidden import influence, weights

from .modules import build_head, build_multi_head, expect_registered, is_floating

STEP = 1e-5  # of a central difference: its error is of order STEP squared, far below the tolerance "zero"


def test_parameters(student, draw, expect):
    """Head and MultiHeadAttention register all their weights, and gradients reach them and the input."""
    B, T, C, D, H, block_size = 2, 5, 12, 4, 3, 7
    x, direction = draw.randn(B, T, C), draw.randn(B, T, C)
    modules = student.model.attention

    head = build_head(student, weights.head_weights(draw, C, D), block_size)
    seed = draw.randn(B, T, D)
    expect_gradients(student, expect, "Head", head, x, seed, matrices=3 * C * D)
    expect_varied_start(student, expect, "Head", modules.Head(C, D, block_size), C, matrices=3 * C * D)
    expect_slope(student, expect, "Head", head, x, seed, direction)

    multi_head = build_multi_head(student, weights.multi_head_weights(draw, C), H, block_size)
    seed = draw.randn(B, T, C)
    new = modules.MultiHeadAttention(C, H, block_size)
    expect_gradients(student, expect, "MultiHeadAttention", multi_head, x, seed, matrices=4 * C * C)
    expect_varied_start(student, expect, "MultiHeadAttention", new, C, matrices=4 * C * C)
    expect_slope(student, expect, "MultiHeadAttention", multi_head, x, seed, direction)


def expect_gradients(student, expect, name, module, x, seed, matrices):
    """All weights are parameters, and the gradient of sum(out * seed) reaches each of them.

    The gradient of a key's bias is zero by the mathematics, so parameters no larger than the biases of q, k and v
    together are only asked to take part.
    """
    C = x.shape[-1]
    expect_registered(student, expect, name, module, C, matrices)
    out = student.backward(module, x, seed=seed)
    rule = "The output must be a finite tensor of the documented shape, in the dtype of x."
    expect.tensor(f"the output of {name}", out, shape=seed.shape, dtype=torch.float64, rule=rule, record=True)
    trainable = [p["requires_grad"] for p in student.parameters(module)]
    gradients = [g for g, trains in zip(student.gradients(module), trainable, strict=True) if trains]
    reached = [g for g in gradients if isinstance(g, torch.Tensor)]
    lost = len(gradients) - len(reached)
    expect.true(
        f"every parameter of {name} has a gradient",
        lost == 0,
        rule="The output must depend on every parameter, so that backward() gives each of them a gradient.",
        saw=f"After backward(), {lost} of {len(gradients)} parameters of {name} have no gradient.",
    )
    expect.true(
        f"the gradient reaches all of every matrix of {name}",
        not any(has_dead_slice(g) for g in reached if g.numel() > 3 * C),
        rule="The gradient must reach every row and column of every matrix.",
        saw=f"Some rows or columns of a matrix of {name} have gradient zero.",
    )


def has_dead_slice(gradient):
    """Whether some slice along some axis is zero throughout."""
    return any(
        bool((gradient.movedim(axis, 0).reshape(length, -1) == 0).all(dim=1).any())
        for axis, length in enumerate(gradient.shape)
    )


def expect_varied_start(student, expect, name, new, n_embd, matrices):
    """In a new module, less than half of the values in the matrices belong to tensors of one constant."""
    values = [p for p in student.get_parameters(new) if isinstance(p, torch.Tensor) and p.numel() > 3 * n_embd]
    constant = sum(p.numel() for p in values if bool((p == p.reshape(-1)[0]).all()))
    expect.true(
        f"the weights of a new {name} differ",
        2 * constant < matrices,
        rule="New weights must differ from each other: equal ones learn in step, and queries and keys that are both "
        "zero never learn at all.",
        saw=f"In a new {name}, {constant} of the weights are in matrices that hold one and the same number throughout.",
    )


def expect_slope(student, expect, name, module, x, seed, direction):
    """The gradient of sum(out * seed) with respect to x is its slope along a direction, measured by two steps."""
    rule = "The gradient of x must be the slope of the output: no detach(), .data or no_grad() may be on the way."
    gradient = student.input_gradient(module, x, seed)
    expect.need(f"the gradient of x through {name} has the shape of x", is_floating(gradient, x.shape), rule=rule)
    ahead, behind = influence.caller(student, module)([x + STEP * direction, x - STEP * direction])
    tensors = is_floating(ahead, seed.shape) and is_floating(behind, seed.shape)
    expect.need(
        f"{name} of a nearby x has the same shape", tensors, rule="The shape must not depend on the values of x."
    )
    measured = ((ahead - behind) * seed).sum() / (2 * STEP)
    claimed = (gradient * direction).sum()
    expect.true(
        f"the gradient of x through {name} is the slope of the output",
        is_close(claimed, measured, tol="zero"),
        rule=rule,
        saw=f"Along a random direction the gradient of x through {name} promises a slope of {claimed:.6g}; "
        f"measured, it is {measured:.6g}.",
    )
