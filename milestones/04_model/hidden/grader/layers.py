"""Judges the stack: each layer in its place, a gradient for everything, and causality."""

import torch

from autograder.grading.student import StudentError
from milestones.hidden.influence import THRESHOLD, caller, expect_causal
from milestones.hidden.loading import scaled
from milestones.hidden.weights import gpt, gpt_loss

from .lookup import expect_looked_up
from .models import (
    N_HEAD,
    SIZES,
    B,
    C,
    T,
    V,
    draw_targets,
    is_float_tensor,
    loaded_gpt,
    logits_of,
    need_logits,
    need_pair,
)

N_LAYER = SIZES["n_layer"]


def test_layers(student, draw, expect):
    """Every layer does its own work, in its place, and every parameter receives a gradient."""
    idx, targets = draw.randint(0, V, (B, T)), draw_targets(draw)
    model, weights = loaded_gpt(student, draw)
    for layer in range(N_LAYER):
        alone = with_one_layer(weights, layer)
        model.load_weights(alone)
        expect.close(
            f"logits with layer {layer} alone",
            logits_of(model(idx)),
            gpt(idx, alone, N_HEAD),
            rule="If every other layer is silent, logits must be those of a model of one layer.",
        )
    model.load_weights(weights)
    expect_gradients(student, expect, model, weights, idx, targets)


def with_one_layer(weights, layer):
    """The weights with the branches of every other layer silent."""
    others = [n for n in range(N_LAYER) if n != layer]
    silent = [f"h.{n}.{branch}.c_proj.weight" for n in others for branch in ("attn", "mlp")]
    return scaled(weights, dict.fromkeys(silent, 0.0))


def expect_gradients(student, expect, model, weights, idx, targets):
    """The loss sends a gradient to every parameter, and the right one to the matrix over the vocabulary."""
    reached = "The loss must send a gradient to every parameter."
    try:
        student.backward(model, idx, targets, pick=1)
    except StudentError as error:
        expect.need("loss.backward() runs", False, rule=reached, saw=f"loss.backward() raised {error}.")
    parameters, gradients = student.parameters(model), student.gradients(model)
    without = [p["shape"] for p, gradient in zip(parameters, gradients, strict=True) if gradient is None]
    expect.true(
        "every parameter has a gradient",
        not without,
        rule=reached,
        saw=f"{len(without)} of {len(parameters)} parameters have no gradient.",
        evidence=without,
    )
    expect.close(
        "the total gradient of all matrices over the vocabulary",
        vocabulary_gradient(gradients),
        wte_gradient(weights, idx, targets),
        rule="The token embedding must learn from both its uses, as embedding and as head.",
    )


def vocabulary_gradient(gradients):
    """(V, C): the sum over all matrices (V, C) or (C, V): one matrix, unless the head is not tied, which tied says."""
    total = torch.zeros(V, C, dtype=torch.float64)
    for gradient in gradients:
        if is_float_tensor(gradient, (V, C)):
            total += gradient
        elif is_float_tensor(gradient, (C, V)):
            total += gradient.T
    return total


def wte_gradient(weights, idx, targets):
    """d loss / d wte, through both uses of wte."""
    wte = weights["wte.weight"].clone().requires_grad_()
    loss = gpt_loss(gpt(idx, weights | {"wte.weight": wte}, N_HEAD), targets)
    return torch.autograd.grad(loss, wte)[0]


def test_causal(student, draw, expect):
    """No logit depends on a later token, every logit depends on every earlier one, in both modes; rows do not mix."""
    idx = draw.randint(0, V, (B, T))
    noise = (idx + draw.randint(1, V, idx.shape)) % V  # differs from idx everywhere
    model, _ = loaded_gpt(student, draw)
    answer = model(idx)
    need_pair(expect, "model(idx)", answer)
    need_logits(expect, "logits", logits_of(answer), (B, T, V))
    call = caller(student, model, pick=0)
    expect_causal(expect, call, idx, noise)
    expect_rows_apart(expect, call, idx, noise)
    model.train()
    first, second = call([idx, idx])
    # If two passes differ, something is dropped at rate 0: then influence can't be measured, and dropout-modes says so.
    if is_float_tensor(first, (B, T, V)) and is_float_tensor(second, (B, T, V)) and gap(first, second) <= THRESHOLD:
        expect_causal(expect, call, idx, noise, label="train mode: ")
    expect_looked_up(student, expect, model, V)


def gap(a, b):
    return (a - b).abs().max()


def expect_rows_apart(expect, call, idx, noise):
    """A change in row 0 of the batch leaves the logits of row 1 alone."""
    changed = idx.clone()
    changed[0] = noise[0]
    before, after = call([idx, changed])
    for what, logits in (("before", before), ("after", after)):
        need_logits(expect, f"logits {what} a change in row 0", logits, (B, T, V))
    expect.close(
        "logits of row 1 after a change in row 0",
        after[1],
        before[1],
        rule="The logits of a row must not depend on other rows of the batch.",
        record=False,
    )
