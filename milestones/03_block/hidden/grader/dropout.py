"""Judges dropout: in both branches, in train mode only, at the rate that was given."""

import math

import torch

from milestones.hidden.loading import scaled
from milestones.hidden.weights import block, block_weights, feed_forward, feed_forward_weights

from .modules import (
    EFFECT,
    N_HEAD,
    NO_ATTENTION,
    NO_FEED_FORWARD,
    B,
    C,
    T,
    gap,
    is_float_tensor,
    need_tensor,
    new_block,
    new_feed_forward,
    tokens,
)

PASSES = 400

# How many standard errors the mean over all passes may be off. For normal numbers chance gives 8
# about once in 1e13 items.
STANDARD_ERRORS = 8

ONLY_IN_TRAINING = "In eval mode dropout must do nothing."
RATE_ZERO = "Without a rate, or at rate 0, nothing must be dropped."


def test_dropout_modes(student, draw, expect):
    """Dropout acts in train mode only, in both branches, keeps the mean, and is off at 0."""
    x = tokens(draw, B, T, C)
    ff_weights, weights = feed_forward_weights(draw, C), block_weights(draw, C)
    expect_feed_forward_drops(student, expect, x, ff_weights)
    for branch, silent in (("attention", NO_FEED_FORWARD), ("feed-forward", NO_ATTENTION)):
        expect_branch_drops(student, expect, x, branch, scaled(weights, silent))
    expect_nothing_dropped(student, expect, x, ff_weights, weights)


def expect_feed_forward_drops(student, expect, x, weights):
    """FeedForward at rate 0.5: exact in eval mode; in train mode different each time, and right on average."""
    module = new_feed_forward(student, weights, dropout=0.5)
    exact = feed_forward(x, weights)
    expect.close("FeedForward(x) in eval mode with dropout=0.5", module(x), exact, rule=ONLY_IN_TRAINING)
    module.train()
    results = student.repeat(module, PASSES, x)
    need_tensor(expect, "FeedForward(x) in train mode", results[0], (B, T, C))
    expect.need(
        f"all {PASSES} results in train mode have the shape of x",
        all(is_float_tensor(result, (B, T, C)) for result in results),
        rule="FeedForward must return the shape of its input in every pass.",
    )
    stacked = torch.stack(results)
    spread = stacked.std(dim=0)
    expect.true(
        "FeedForward drops something in train mode",
        spread.max() > EFFECT,
        rule="FeedForward must drop numbers of its result in train mode, others in each pass.",
        saw=f"With dropout=0.5, {PASSES} passes in train mode give the same result.",
    )
    standard_error = spread / math.sqrt(PASSES) + 1e-9  # a number that is never dropped has none, up to rounding
    off = ((stacked.mean(dim=0) - exact).abs() / standard_error).max().item()
    expect.true(
        "the mean over many passes is the result without dropout",
        off < STANDARD_ERRORS,
        rule="What dropout keeps must be divided by 1 - p, so that the mean over many passes is the undropped result.",
        saw=f"The mean over {PASSES} passes is off by {off:.0f} standard errors.",
        strain=off / STANDARD_ERRORS,
        record=False,
    )


def expect_branch_drops(student, expect, x, branch, weights):
    """A block at rate 0.5 whose other branch is silent: exact in eval mode, different each time in train mode."""
    module = new_block(student, weights, dropout=0.5)
    expect.close(
        f"Block(x) in eval mode with dropout=0.5 and the {branch} branch alone",
        module(x),
        block(x, weights, N_HEAD),
        rule=ONLY_IN_TRAINING,
    )
    module.train()
    first, second = student.repeat(module, 2, x)
    expect.true(
        f"the {branch} branch drops something in train mode",
        gap(first, second) > EFFECT,
        rule="A block must hand its dropout rate on to both branches.",
        saw=f"With dropout=0.5, two passes through the {branch} branch in train mode give the same result.",
    )


def expect_nothing_dropped(student, expect, x, ff_weights, weights):
    """Without a rate, train mode gives the exact values. What is dropped all the same is chance: it is not recorded."""
    feeding, whole = new_feed_forward(student, ff_weights), new_block(student, weights)
    feeding.train()
    whole.train()
    expect.close(
        "FeedForward(x) in train mode without a rate",
        feeding(x),
        feed_forward(x, ff_weights),
        rule=RATE_ZERO,
        record=False,
    )
    expect.close(
        "Block(x) in train mode without a rate",
        whole(x),
        block(x, weights, N_HEAD),
        rule=RATE_ZERO,
        record=False,
    )
