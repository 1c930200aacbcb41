"""The modules under test, built over there with given weights, and the inputs and sizes that they are tried on.

Exact items run in float64 and eval mode. All sizes are pairwise distinct, so that no dimension can stand in for
another.
"""

import math

import torch

from milestones.hidden.loading import prepared

B, T, C, N_HEAD, BLOCK_SIZE = 2, 5, 12, 3, 7  # head_size 4, hidden width 48
NO_ATTENTION = {"attn.c_proj.weight": 0.0, "attn.c_proj.bias": 0.0}
NO_FEED_FORWARD = {"mlp.c_proj.weight": 0.0, "mlp.c_proj.bias": 0.0}

# The smallest difference that counts as an effect of a weight or of dropout. The honest ones are above 1.
EFFECT = 1e-6


def tokens(draw, *shape):
    """Float64 tokens, each with a mean and a spread of its own: what statistics over anything but C would mix."""
    spread = 0.5 + 3 * draw.rand(*shape[:-1], 1)
    return draw.randn(*shape) * spread + 2 * draw.randn(*shape[:-1], 1)


def new_layer_norm(student, weights, n_embd=C, **options):
    return prepared(student, student.model.block.LayerNorm(n_embd, **options), weights)


def new_feed_forward(student, weights, n_embd=C, **options):
    return prepared(student, student.model.block.FeedForward(n_embd, **options), weights)


def new_block(student, weights, n_embd=C, n_head=N_HEAD, block_size=BLOCK_SIZE, **options):
    return prepared(student, student.model.block.Block(n_embd, n_head, block_size, **options), weights)


def is_float_tensor(value, shape):
    return isinstance(value, torch.Tensor) and value.is_floating_point() and tuple(value.shape) == tuple(shape)


def need_tensor(expect, what, value, shape):
    """`value` is a finite float64 tensor of that shape. If it can't be calculated with, the item ends here."""
    rule = "Each module must return the shape and the dtype of its input, with finite numbers."
    expect.tensor(what, value, shape=shape, dtype=torch.float64, rule=rule)
    expect.need(f"{what} can be compared", is_float_tensor(value, shape), rule=rule)


def gap(a, b):
    """The largest difference of two tensors; infinite if they are not two float tensors of one shape."""
    if not (isinstance(a, torch.Tensor) and is_float_tensor(b, a.shape) and a.numel()):
        return math.inf
    return (a.double() - b.double()).abs().max().item()
