"""Judges FeedForward: its values, that it bends and treats each token alone, and what it learns."""

import torch

from milestones.hidden.influence import caller
from milestones.hidden.loading import count, load_with_biases, without_biases
from milestones.hidden.weights import feed_forward, feed_forward_weights

from .backward import expect_backward, expect_input_gradient
from .modules import B, C, T, need_tensor, new_feed_forward
from .per_token import expect_per_token

FORMULA = "FeedForward must compute gelu(x @ W_fc + b_fc) @ W_proj + b_proj, with the tanh form of GELU."

# How far f(a + b) must be from f(a) + f(b) - f(0). The formula gives at least 0.5 on these inputs, a linear map 1e-14.
BEND = 1e-3


def test_feed_forward_values(student, draw, expect):
    """FeedForward is C -> 4C -> C with the tanh form of GELU, exactly."""
    x, other = draw.randn(B, T, C), draw.randn(3, 4, 10)
    weights, other_weights = feed_forward_weights(draw, C, bias=True), feed_forward_weights(draw, 10)
    bare = without_biases(weights)
    module = new_feed_forward(student, bare)
    expect.close("FeedForward(x)", module(x), feed_forward(x, bare), rule=FORMULA)
    taken = load_with_biases(module, weights)
    expect.close(
        "FeedForward(x) with biases",
        module(x),
        feed_forward(x, taken),
        rule="FeedForward must add the biases that it was given, or refuse them in load_weights with ValueError.",
    )
    second = new_feed_forward(student, other_weights, 10)
    expect.close("FeedForward(x) of width 10", second(other), feed_forward(other, other_weights), rule=FORMULA)


def test_feed_forward_nonlinear(student, draw, expect):
    """FeedForward bends: f(a + b) is not f(a) + f(b) - f(0); also far from zero; and each token is treated alone."""
    a, b = draw.randn(B, T, C), draw.randn(B, T, C)
    weights = feed_forward_weights(draw, C)
    module = new_feed_forward(student, weights)
    together, first, second, nothing = caller(student, module)([a + b, a, b, torch.zeros_like(a)])
    results = {"f(a + b)": together, "f(a)": first, "f(b)": second, "f(0)": nothing}
    for name, result in results.items():
        need_tensor(expect, name, result, (B, T, C))
    expect.above(
        "the largest |f(a + b) - f(a) - f(b) + f(0)|, f = FeedForward,",
        (together - first - second + nothing).abs().max().item(),
        BEND,
        rule="FeedForward must not be linear: two matrices without a bend between them are one matrix.",
    )
    expect_per_token(student, expect, "FeedForward", module, a, b)
    expect.close(
        "FeedForward(30 * x)",
        module(30 * a),
        feed_forward(30 * a, weights),
        rule="GELU must stay exact far from zero: above it is the number itself, below it is 0.",
    )


def test_feed_forward_parameters(student, draw, expect):
    """Two matrices of C * 4C numbers, biases or none, and every one of them receives a gradient."""
    x, seed = draw.randn(B, T, C), draw.randn(B, T, C)
    weights = feed_forward_weights(draw, C)
    module = new_feed_forward(student, weights)
    numbers = count(student.parameters(module))
    matrices = 2 * C * 4 * C
    allowed = [matrices + biases for biases in (0, C, 4 * C, 5 * C)]
    expect.true(
        "FeedForward has two matrices of C * 4C numbers, and biases or none",
        numbers in allowed,
        rule="FeedForward must register two matrices of C * 4C numbers, with or without biases, and nothing else.",
        saw=f"FeedForward({C}).parameters() hold {numbers} numbers. The matrices alone have {matrices}, and both biases"
        f" {5 * C} more.",
        evidence=numbers,
    )
    expect_backward(student, expect, "FeedForward", module, x, seed)
    expect_input_gradient(student, expect, "FeedForward", module, x, seed, lambda z: feed_forward(z, weights))
