"""The tiny model: what it computes, and what one step must do to its weights.

The instrument of that name is its stub on the submission's side: four parameters, and called as a GPT is.

    h = tanh(table[x] @ matrix.T + bias)     times EVAL_FACTOR in eval mode, so that the loss shows the mode
    logits = gain * h @ table.T

Weights are a list in the model's own order: gain (), table (V, C), matrix (C, C), bias (C,).
"""

import math

import torch
import torch.nn.functional as F

V, C, T, B = 29, 6, 5, 4  # vocabulary, channels, window, windows in a batch
EVAL_FACTOR = 0.25
LOSS = "zero"  # tolerance of a step's loss: micro-batches may be added up in float32, although the model is float64


def draw_weights(draw, loudness=3.0):
    """Random weights; a louder model has larger gradients."""
    return [
        torch.tensor(loudness, dtype=torch.float64),
        draw.randn(V, C) / 2,
        draw.randn(C, C),
        draw.randn(C) / 2,
    ]


def draw_batches(draw, n):
    """n random batches (x, y), each int64 (B, T)."""
    return [(draw.randint(0, V, (B, T)), draw.randint(0, V, (B, T))) for _ in range(n)]


def logits_of(weights, x, training=True, kept=None):
    """x (...) -> logits (..., V). kept (..., C) is what dropout multiplies h by."""
    gain, table, matrix, bias = weights
    h = torch.tanh(F.linear(F.embedding(x, table), matrix, bias))
    h = h if kept is None else h * kept
    return gain * F.linear(h if training else EVAL_FACTOR * h, table)


def loss_of(weights, x, y):
    """The mean loss in train mode: x, y (B, T) -> scalar."""
    return F.cross_entropy(logits_of(weights, x).flatten(0, -2), y.flatten())


def gradient(weights, batches):
    """The mean loss over the batches, and its gradient."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    loss = sum(loss_of(leaves, x, y) for x, y in batches) / len(batches)
    return loss.item(), list(torch.autograd.grad(loss, leaves))


def bfloat16_gradient(weights, batches):
    """The same of float32 weights, where the forward pass is torch's automatic mixture with bfloat16."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = [loss_of(leaves, x, y) for x, y in batches]
    loss = sum(losses) / len(losses)
    return loss.item(), list(torch.autograd.grad(loss, leaves))


def norm(tensors):
    """The Euclidean norm over all of them together."""
    return math.sqrt(sum(float(tensor.double().pow(2).sum()) for tensor in tensors))


def distance(some, others):
    """The norm of the difference of two lists of tensors."""
    return norm([a - b for a, b in zip(some, others, strict=True)])


def clipped(gradients, bound):
    """The gradients, scaled down to the norm `bound` if theirs is larger; None or 0 is no bound."""
    factor = min(1.0, bound / norm(gradients)) if bound else 1.0
    return [factor * gradient for gradient in gradients]


def descended(weights, gradients, learning_rate):
    """The weights after a step of plain gradient descent."""
    return [weight - learning_rate * one for weight, one in zip(weights, gradients, strict=True)]


def flat(tensors):
    """All numbers in one vector; an empty vector if there are no tensors."""
    return torch.cat([tensor.flatten() for tensor in tensors]) if tensors else torch.zeros(0)


def equal_bits(a, b):
    """Whether two tensors have the same dtype, shape and values, to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


def weights_of(student, model):
    """All its weights in one vector."""
    return flat(student.get_parameters(model))


def expect_weights(expect, what, actual, expected, rule):
    """Equal to five digits: a clipped norm is right with and without a small eps."""
    expect.close(what, actual.float(), expected.float(), rule=rule)
