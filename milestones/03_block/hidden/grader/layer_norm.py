"""Judges LayerNorm: its values, its eps, that it treats each token alone, and what it learns."""

import torch

from milestones.hidden.influence import THRESHOLD
from milestones.hidden.loading import count
from milestones.hidden.weights import layer_norm, layer_norm_weights

from .backward import expect_backward, expect_input_gradient
from .modules import B, C, T, need_tensor, new_layer_norm, tokens
from .per_token import expect_per_token

FORMULA = (
    "LayerNorm must normalise each token over its own C features, with the biased variance and eps under the root,"
    " then multiply by weight and add bias."
)


def test_layer_norm_values(student, draw, expect):
    """LayerNorm equals its formula for inputs of one to four dimensions and two widths."""
    inputs = [tokens(draw, *shape) for shape in ((B, 3, T, C), (B, T, C), (T, C), (C,))]
    weights = layer_norm_weights(draw, C, bias=True)
    wide, wide_weights = tokens(draw, 4, 37), layer_norm_weights(draw, 37, bias=True)
    norm = new_layer_norm(student, weights)
    for x in inputs:
        expect.close(f"LayerNorm(x), x {tuple(x.shape)},", norm(x), layer_norm(x, weights), rule=FORMULA)
    wide_norm = new_layer_norm(student, wide_weights, 37)
    expect.close("LayerNorm(x), x (4, 37),", wide_norm(wide), layer_norm(wide, wide_weights), rule=FORMULA)


def test_layer_norm_eps(student, draw, expect):
    """eps is 1e-5 by default, can be chosen, stands inside the root, and keeps constant tokens finite."""
    weights = layer_norm_weights(draw, C, bias=True)
    constant = torch.full((B, T, C), 3.0, dtype=torch.float64) * torch.arange(T)[:, None]
    quiet = 0.003 * draw.randn(B, T, C) + 0.01  # a variance of about 1e-5, which shows eps
    loud = tokens(draw, B, T, C)
    norm = new_layer_norm(student, weights)
    expect.close(
        "LayerNorm of constant tokens",
        norm(constant),
        weights["bias"].expand(B, T, C),
        rule="A token whose features are all equal has variance 0, and must become the bias.",
    )
    expect.close(
        "LayerNorm of tokens with a variance near eps",
        norm(quiet),
        layer_norm(quiet, weights),
        rule="eps must be 1e-5 by default, and must be added to the variance, under the root.",
    )
    expect.close(
        "LayerNorm with eps=0.25",
        new_layer_norm(student, weights, eps=0.25)(loud),
        layer_norm(loud, weights, eps=0.25),
        rule="LayerNorm must use the eps that it was given.",
    )


def test_layer_norm_per_token(student, draw, expect):
    """No token's result depends on another token, on the batch, or on train mode."""
    x, noise = tokens(draw, B, T, C), tokens(draw, B, T, C)
    norm = new_layer_norm(student, layer_norm_weights(draw, C, bias=True))
    whole = norm(x)
    need_tensor(expect, "LayerNorm(x)", whole, (B, T, C))
    expect_per_token(student, expect, "LayerNorm", norm, x, noise)
    expect.close(
        "LayerNorm of one token alone",
        norm(x[:1, 2:3].contiguous()),
        whole[:1, 2:3],
        rule="A token alone must come out as it does inside a batch.",
    )
    norm.train()
    expect.close(
        "LayerNorm in train mode",
        norm(x),
        whole,
        rule="LayerNorm must give the same result in train mode and in eval mode: it keeps no running statistics.",
    )
    norm.eval()
    expect_taken_together(expect, norm, x)


def expect_taken_together(expect, norm, x):
    """A sign of life: each number of a token's result depends on the token's first number."""
    changed = x.clone()
    changed[0, 0, 0] += 1
    before, after = norm(x), norm(changed)
    need_tensor(expect, "LayerNorm(x) in eval mode again", before, (B, T, C))
    need_tensor(expect, "LayerNorm(x) with another first number", after, (B, T, C))
    expect.true(
        "every number of a token has a part in the whole result",
        bool(((before - after)[0, 0].abs() > THRESHOLD).all()),
        rule="LayerNorm must take the numbers of a token together: they have one mean and one variance.",
        saw="With another first number, some of the other numbers of the result are as before.",
        record=False,
    )


def test_layer_norm_parameters(student, draw, expect):
    """weight starts at one and bias at zero, both (C,), and both receive gradients; so does the input."""
    x, seed = tokens(draw, B, T, C), draw.randn(B, T, C)
    weights = layer_norm_weights(draw, C, bias=True)
    norm = student.model.block.LayerNorm(C)
    norm.double()
    norm.eval()
    expect.equal(
        f"the number of values in LayerNorm({C}).parameters()",
        count(student.parameters(norm)),
        2 * C,
        rule="LayerNorm must learn a weight and a bias of C numbers each, both of them nn.Parameters.",
    )
    fresh = {"weight": torch.ones(C, dtype=torch.float64), "bias": torch.zeros(C, dtype=torch.float64)}
    expect.close("a new LayerNorm", norm(x), layer_norm(x, fresh), rule="weight must start at 1 and bias at 0.")
    norm.load_weights(weights)
    expect_backward(student, expect, "LayerNorm", norm, x, seed)
    expect_input_gradient(student, expect, "LayerNorm", norm, x, seed, lambda z: layer_norm(z, weights))
