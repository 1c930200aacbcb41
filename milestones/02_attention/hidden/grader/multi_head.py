"""Judges MultiHeadAttention: shapes and dtypes, exact outputs under given weights, causality, errors, biases."""

import torch

from autograder.grading.expect import is_close
from autograder.grading.student import StudentError
from milestones.hidden import weights
from milestones.hidden.life import expect_weights_act
from milestones.hidden.loading import without_biases

from .large_scores import rising_input, rising_multi_head_weights
from .modules import MULTI_HEAD_SIZES, build_multi_head, expect_causal, expect_registered, expect_shape


def name_of(C, H, block_size):
    return f"MultiHeadAttention({C}, {H}, {block_size})"


def test_multi_head_shape(student, draw, expect):
    """MultiHeadAttention(...)(x) is (B, T, C) with x's dtype, for T from 1 to block_size, in both modes."""
    for B, T, C, H, block_size in MULTI_HEAD_SIZES:
        name = name_of(C, H, block_size)
        module = student.model.attention.MultiHeadAttention(C, H, block_size)
        expect_registered(student, expect, name, module, C, matrices=4 * C * C)
        expect_shape(student, expect, name, module, draw.randn(B, T, C), (B, T, C))
        if T > 1:  # a single position shows no attention
            expect_weights_act(student, expect, name, module, draw.randn(B, T, C), draw.randn(B, T, C))


def test_multi_head_values(student, draw, expect):
    """Under given weights the output is exact, for one head, for many, and for every length."""
    rule = "Each head must attend with its own slice of q, k and v; the results, side by side, must go through c_proj."
    for B, T, C, H, block_size in MULTI_HEAD_SIZES:
        name = name_of(C, H, block_size)
        new = student.model.attention.MultiHeadAttention(C, H, block_size)
        expect_registered(student, expect, name, new, C, matrices=4 * C * C)
        given = weights.multi_head_weights(draw, C)
        module = build_multi_head(student, given, H, block_size)
        for length in dict.fromkeys((T, 1, block_size)):  # each once
            x = draw.randn(B, length, C)
            telling = length == T and T > 3  # a few positions show few weights
            what = f"{name} of x {(B, length, C)}"
            expect.close(what, module(x), weights.multi_head(x, given, H), rule=rule, record=telling)
    expect_large_scores(student, draw, expect)
    expect_float32(student, draw, expect)


def expect_large_scores(student, draw, expect):
    x, given = rising_input(draw, 2, 5, 12), rising_multi_head_weights(draw, 12, 3)
    expect.close(
        "MultiHeadAttention with scores from -50 to 50",
        build_multi_head(student, given, 3, 6)(x),
        weights.multi_head(x, given, 3),
        rule="With scores from -50 to 50, too, the mask must hide all of the future and none of the past.",
    )


def expect_float32(student, draw, expect):
    given, x = weights.multi_head_weights(draw, 10), draw.randn(3, 4, 10).float()
    module = build_multi_head(student, given, 2, 6)
    module.float()
    rule = "In float32 the output must be float32, and close to the exact one."
    expect.close("MultiHeadAttention in float32", module(x), weights.multi_head(x, given, 2).float(), rule=rule)


def test_multi_head_causal(student, draw, expect):
    """out[:, t] moves with every x[:, s] for s up to t and with none after it, at every cut."""
    for B, T, C, H, block_size in [(2, 6, 12, 3, 8), (1, 5, 8, 4, 5)]:
        module = build_multi_head(student, weights.multi_head_weights(draw, C), H, block_size)
        x, noise = draw.randn(B, T, C), draw.randn(B, T, C)
        expect_causal(student, expect, name_of(C, H, block_size), module, x, noise)


def test_attention_weights(student, draw, expect):
    """attention_weights(x) is exactly the (B, H, T, T) table that forward weighs the values with."""
    rule = "Head h's table must be softmax(q kᵀ / sqrt(D)) of its own slices, under the causal mask."
    for B, T, C, H, block_size in MULTI_HEAD_SIZES:
        given, x = weights.multi_head_weights(draw, C), draw.randn(B, T, C)
        found = build_multi_head(student, given, H, block_size).attention_weights(x)
        what = f"attention_weights of x {(B, T, C)} with {H} heads"
        expected = weights.multi_head_attention_weights(x, given, H)
        expect.close(what, found, expected, rule=rule, record=T > 3)  # a few positions show few weights
    given, x = weights.multi_head_weights(draw, 12), draw.randn(2, 5, 12)
    module, expected = build_multi_head(student, given, 3, 7, 0.5), weights.multi_head_attention_weights(x, given, 3)
    rule = "attention_weights must give the weights without dropout, in training mode, too."
    expect.close(
        "attention_weights in eval mode with dropout=0.5",
        module.attention_weights(x),
        expected,
        rule=rule,
        record=False,
    )
    module.train()
    found = module.attention_weights(x)
    expect.note("holes in training mode", has_holes(found))
    expect.close("attention_weights in training mode", found, expected, rule=rule, record=False)


def has_holes(found):
    """Whether a visible weight of (B, H, T, T) is 0, which no softmax gives; None if the shape is another."""
    if not (isinstance(found, torch.Tensor) and found.ndim == 4 and found.is_floating_point()):
        return None
    return bool((found == 0)[..., torch.ones(found.shape[-2:], dtype=torch.bool).tril()].any())


def test_errors(student, draw, expect):
    """ValueError if n_head does not divide n_embd, and if the input is longer than block_size."""

    def run(n_embd, n_head, block_size, x):
        return student.model.attention.MultiHeadAttention(n_embd, n_head, block_size)(x)

    longest = run(8, 2, 5, draw.randn(3, 5, 8).float())
    rule = "An input of block_size positions must be accepted."
    expect.tensor(f"{name_of(8, 2, 5)} of 5 positions", longest, shape=(3, 5, 8), finite=False, rule=rule)
    rule = "MultiHeadAttention must raise ValueError if n_head does not divide n_embd."
    for C, H in [(10, 4), (6, 5), (3, 6)]:
        x = draw.randn(2, 4, C).float()
        expect.raises(name_of(C, H, 5), ValueError, run, C, H, 5, x, rule=rule)
    rule = "MultiHeadAttention must raise ValueError if the input has more than block_size positions."
    for T in (6, 11):
        x = draw.randn(3, T, 8).float()
        expect.raises(f"{name_of(8, 2, 5)} of {T} positions", ValueError, run, 8, 2, 5, x, rule=rule)


def test_load_weights(student, draw, expect):
    """Biases that are not zero are applied or refused with ValueError, each of them; zero ones are accepted."""
    B, T, C, H, block_size = 2, 5, 12, 3, 7
    given, x = weights.multi_head_weights(draw, C, bias=True), draw.randn(B, T, C)
    bare = without_biases(given)
    module = build_multi_head(student, bare, H, block_size)
    rule = "load_weights must accept biases that are zero, and they must change nothing."
    expect.close("the output with zero biases", module(x), weights.multi_head(x, bare, H), rule=rule)
    for name in ("c_attn.bias", "c_proj.bias"):
        one = bare | {name: given[name]}
        expect_applied_or_refused(student, expect, name, module, one, x, weights.multi_head(x, one, H))
    module.load_weights(bare)
    rule = "load_weights must replace everything that an earlier call loaded."
    expect.close("the output with zero biases again", module(x), weights.multi_head(x, bare, H), rule=rule)


def expect_applied_or_refused(student, expect, name, module, given, x, expected):
    """`given` has the bias `name` alone; with it the output is `expected`, or load_weights raises ValueError."""
    loaded = student.attempt(module.load_weights, given)
    if isinstance(loaded, StudentError):
        held = "ValueError" in loaded.bases
        saw, evidence = f"load_weights raised {loaded}.", loaded.type
    else:
        out = module(x)
        held = isinstance(out, torch.Tensor) and is_close(out, expected)
        saw, evidence = f"load_weights took a {name} that is not zero, and the output is not the one with it.", out
    expect.true(
        f"a {name} that is not zero is applied or refused",
        held,
        rule="load_weights must apply a bias that is not zero, or refuse it with ValueError.",
        saw=saw,
        evidence=evidence,
    )
