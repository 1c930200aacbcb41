"""Judges Block: the stream, each branch and its norm, the values of both together, and causality."""

from milestones.hidden.influence import THRESHOLD, caller, expect_causal
from milestones.hidden.life import expect_weights_act
from milestones.hidden.loading import load_with_biases, scaled, without_biases
from milestones.hidden.weights import block, block_weights

from .backward import unreached
from .modules import (
    BLOCK_SIZE,
    EFFECT,
    N_HEAD,
    NO_ATTENTION,
    NO_FEED_FORWARD,
    B,
    C,
    T,
    gap,
    need_tensor,
    new_block,
    tokens,
)

OTHER = {"B": 3, "T": 7, "C": 10, "n_head": 2, "block_size": 9}  # head_size 5, hidden width 40
FORMULA = "A block must compute x = x + attention(norm_1(x)), then x = x + feed_forward(norm_2(x)), in this order."


def test_block_identity(student, draw, expect):
    """With the last matrix of both branches zero, a block hands x on unchanged, in train mode too."""
    x = tokens(draw, B, T, C)
    loud = block_weights(draw, C)
    weights = scaled(loud, NO_ATTENTION | NO_FEED_FORWARD)
    expect.close(
        "Block(x) with both branches zero",
        new_block(student, weights)(x),
        x,
        rule="If both branches return zeros, x + 0 + 0 must be x: only the two additions may touch the stream.",
    )
    dropping = new_block(student, weights, dropout=0.5)
    dropping.train()
    expect.close(
        "Block(x) with both branches zero, in train mode with dropout=0.5,",
        dropping(x),
        x,
        record=False,
        rule="Dropout must act inside the branches: the stream itself must pass whole.",
    )
    expect_weights_act(student, expect, "Block", new_block(student, loud), x, tokens(draw, B, T, C))


def test_block_branches(student, draw, expect):
    """Each branch alone adds what it should: x + attention(norm_1(x)) and x + feed_forward(norm_2(x))."""
    x = tokens(draw, B, T, C)
    weights = block_weights(draw, C)
    for branch, norm, silent in (("attention", "norm_1", NO_FEED_FORWARD), ("feed_forward", "norm_2", NO_ATTENTION)):
        loaded = scaled(weights, silent)
        expect.close(
            f"Block(x) with the {branch} branch alone",
            new_block(student, loaded)(x),
            block(x, loaded, N_HEAD),
            rule=f"If the other branch returns zeros, a block must return x + {branch}({norm}(x)).",
        )
    expect.note("both branches at work", new_block(student, weights)(x))


def test_block_two_norms(student, draw, expect):
    """The two norms are two: each acts on its own branch only."""
    x = tokens(draw, B, T, C)
    weights = block_weights(draw, C)
    cases = ("attention", "ln_1", "ln_2", NO_FEED_FORWARD), ("feed-forward", "ln_2", "ln_1", NO_ATTENTION)
    for branch, own, foreign, silent in cases:
        alone = scaled(weights, silent)
        module = new_block(student, alone)
        before = module(x)
        need_tensor(expect, f"Block(x) with the {branch} branch alone", before, (B, T, C))
        module.load_weights(scaled(alone, {f"{foreign}.weight": -2.0}))
        expect.true(
            f"{foreign}.weight leaves the {branch} branch alone",
            gap(before, module(x)) <= THRESHOLD,
            rule="A block must have two norms that share nothing: ln_1 for the attention, ln_2 for the feed-forward.",
            saw=f"With only the {branch} branch at work, a change of {foreign}.weight changes the result.",
        )
        module.load_weights(scaled(alone, {f"{own}.weight": -2.0}))
        expect.true(
            f"{own}.weight acts on the {branch} branch",
            gap(before, module(x)) > EFFECT,
            rule=f"The {branch} branch must read {own}(x).",
            saw=f"With only the {branch} branch at work, a change of {own}.weight changes nothing.",
        )
    expect.note("numbers that nothing depends on", unreached(student, new_block(student, weights), x))


def test_block_values(student, draw, expect):
    """The whole block equals its two lines, for two sets of sizes, with the biases that it has."""
    x, other = tokens(draw, B, T, C), tokens(draw, OTHER["B"], OTHER["T"], OTHER["C"])
    weights, other_weights = block_weights(draw, C), block_weights(draw, OTHER["C"], bias=True)
    expect.close("Block(x)", new_block(student, weights)(x), block(x, weights, N_HEAD), rule=FORMULA)
    second = new_block(student, without_biases(other_weights), OTHER["C"], OTHER["n_head"], OTHER["block_size"])
    taken = load_with_biases(second, other_weights)
    expect.close("Block(x) of other sizes", second(other), block(other, taken, OTHER["n_head"]), rule=FORMULA)
    rounded = {name: tensor.float() for name, tensor in weights.items()}
    single = student.model.block.Block(C, N_HEAD, BLOCK_SIZE)
    single.eval()
    single.load_weights(rounded)
    exact = {name: tensor.double() for name, tensor in rounded.items()}
    expect.close(
        "Block(x) in float32",
        single(x.float()),
        block(x.float(), exact, N_HEAD).float(),
        rule="In float32 a block must be as exact as float32 is.",
    )


def test_block_causal(student, draw, expect):
    """No output depends on a later position, and every output depends on every earlier one, in both modes."""
    x, noise = tokens(draw, B, T, C), tokens(draw, B, T, C)
    module = new_block(student, block_weights(draw, C))
    need_tensor(expect, "Block(x)", module(x), (B, T, C))
    call = caller(student, module)
    expect_causal(expect, call, x, noise)
    module.train()
    first, second = call([x, x])
    # If two passes differ, something is dropped at rate 0: then influence can't be measured, and dropout-modes says so.
    if gap(first, second) <= THRESHOLD:
        expect_causal(expect, call, x, noise, label="train mode: ")
    module.eval()
    expect_weights_act(student, expect, "Block", module, x, noise)
