"""Judges Head: shapes and dtypes, exact outputs under given weights, causality."""

from milestones.hidden import weights
from milestones.hidden.life import expect_weights_act

from .large_scores import rising_head_weights, rising_input
from .modules import HEAD_SIZES, build_head, expect_causal, expect_registered, expect_shape


def test_head_shape(student, draw, expect):
    """Head(...)(x) is (B, T, head_size) with x's dtype, for T from 1 to block_size, in both modes."""
    for B, T, C, D, block_size in HEAD_SIZES:
        name = f"Head({C}, {D}, {block_size})"
        head = student.model.attention.Head(C, D, block_size)
        expect_registered(student, expect, name, head, C, matrices=3 * C * D)
        expect_shape(student, expect, name, head, draw.randn(B, T, C), (B, T, D))
        if T > 1:  # a single position shows no attention
            expect_weights_act(student, expect, name, head, draw.randn(B, T, C), draw.randn(B, T, C))


def test_head_values(student, draw, expect):
    """Under given weights Head is exactly causal attention of x Wq, x Wk and x Wv."""
    rule = "Head must compute attention(x Wq, x Wk, x Wv) under the causal mask, scaled by 1/sqrt(head_size)."
    for B, T, C, D, block_size in HEAD_SIZES:
        given = weights.head_weights(draw, C, D)
        head = build_head(student, given, block_size)
        for length in dict.fromkeys((T, 1, block_size)):  # each once
            x = draw.randn(B, length, C)
            telling = length == T and T > 1  # a single position shows no weights
            what = f"Head({C}, {D}, {block_size}) of x {(B, length, C)}"
            expect.close(what, head(x), weights.head(x, given), rule=rule, record=telling)
    expect_large_scores(student, draw, expect)
    expect_float32(student, draw, expect)


def expect_large_scores(student, draw, expect):
    x, given = rising_input(draw, 3, 5, 8), rising_head_weights(draw, 8, 4)
    expect.close(
        "Head with scores from -50 to 50",
        build_head(student, given, 6)(x),
        weights.head(x, given),
        rule="With scores from -50 to 50, too, the mask must hide all of the future and none of the past.",
    )


def expect_float32(student, draw, expect):
    given, x = weights.head_weights(draw, 9, 5), draw.randn(2, 4, 9).float()
    head = build_head(student, given, 6)
    head.float()
    rule = "In float32 the output must be float32, and close to the exact one."
    expect.close("Head in float32", head(x), weights.head(x, given).float(), rule=rule)


def test_head_causal(student, draw, expect):
    """out[:, t] moves with every x[:, s] for s up to t and with none after it, at every cut."""
    for B, T, C, D, block_size in [(2, 6, 10, 4, 8), (1, 5, 7, 3, 5)]:
        head = build_head(student, weights.head_weights(draw, C, D), block_size)
        x, noise = draw.randn(B, T, C), draw.randn(B, T, C)
        expect_causal(student, expect, f"Head({C}, {D}, {block_size})", head, x, noise)
