"""Rung 2, attention: exact values on given tensors, and causality by behaviour.

Sizes are pairwise distinct wherever the mathematics allows it, so that no dimension can stand in for another.
"""

import math

import torch

from milestones.hidden import influence, shape_table, weights
from autograder.grading.student import StudentError

HEAD_SIZES = [(2, 5, 12, 4, 7), (3, 7, 10, 6, 7), (4, 1, 6, 3, 9), (1, 1, 5, 2, 1)]  # B, T, C, D, block_size
MULTI_HEAD_SIZES = [  # B, T, C, H, block_size
    (2, 5, 12, 3, 7),
    (3, 7, 10, 2, 7),
    (4, 1, 6, 2, 9),
    (1, 4, 15, 5, 6),
    (2, 3, 5, 1, 4),
    (3, 6, 4, 4, 8),
    (1, 1, 8, 2, 1),
]


def is_tensor(value, shape):
    """A floating tensor of that shape."""
    return isinstance(value, torch.Tensor) and value.is_floating_point() and tuple(value.shape) == tuple(shape)


def finite_positions(out):
    """For (B, T, C), which of the T positions hold finite values; a mask that hides too much shows in it."""
    if not (isinstance(out, torch.Tensor) and out.ndim == 3 and out.is_floating_point()):
        return None
    return torch.isfinite(out).all(dim=2).all(dim=0)


def in_float64(module, given):
    """The module in float64 and eval mode under given weights."""
    module.double()
    module.eval()
    module.load_weights(given)
    return module


def build_head(student, given, block_size, *options):
    n_embd, head_size = given["q"].shape
    return in_float64(student.model.attention.Head(n_embd, head_size, block_size, *options), given)


def build_multi_head(student, given, n_head, block_size, *options):
    n_embd = given["c_proj.weight"].shape[0]
    make = student.model.attention.MultiHeadAttention
    return in_float64(make(n_embd, n_head, block_size, *options), given)


def expect_registered(student, expect, what, module, C, matrices):
    """The module registers at least its matrices; whether it registers much more is evidence for the diagnosis."""
    size = trainable(student.parameters(module))
    expect.true(
        f"{what}: registered values",
        size >= matrices,
        rule=f"{what}.parameters() holds {size} trainable values, and the matrices alone have {matrices}. What is not "
        "registered no optimizer moves, and double() and to(device) pass it by.",
        evidence=(size >= matrices) + (size > matrices + 4 * C),
    )


def trainable(parameters):
    """How many values the parameters hold that an optimizer may move."""
    return sum(math.prod(p["shape"]) for p in parameters if p["requires_grad"])


def pair(expect, what, result):
    """(out, weights), or (None, None) where attention() gave something else."""
    two = isinstance(result, (list, tuple)) and len(result) == 2
    seen = len(result) if isinstance(result, (list, tuple)) else type(result).__name__
    expect.true(f"{what}: a pair", two, rule="attention returns two tensors, (out, weights).", evidence=seen)
    return result if two else (None, None)


def expect_attention(expect, what, result, q, k, v, mask=None, *, rule, any_scale=False):
    """`result` is the exact (out, weights) of attention(q, k, v, mask), in the dtype of q.

    any_scale: another factor on the scores than 1 / sqrt(D) is as good, so long as there is one for all of them.
    """
    out, found = pair(expect, what, result)
    factor = 1.0
    if any_scale:
        taken = implied_scale(found, q.double() @ k.double().transpose(-2, -1))
        factor = taken * math.sqrt(q.shape[-1]) if math.isfinite(taken) else factor
    expected_out, expected = weights.attention(q.double() * factor, k, v, mask)
    record = q.dtype == torch.float64  # float32 tells mistakes apart no better
    if is_tensor(found, expected.shape):
        rows = found.double().sum(dim=-1).to(q.dtype)
        story = "Each row of the weights shares out a total of 1 among the positions that its query may see."
        expect.close(f"{what}: row sums of the weights", rows, torch.ones_like(rows), rule=story, record=False)
    expect.close(f"{what}: weights", found, expected.to(q.dtype), rule=rule, record=record)
    story = "The weights are right, but out is not weights @ v."
    expect.close(f"{what}: out", out, expected_out.to(q.dtype), rule=story, record=record)


# Functions


def test_causal_average(student, draw, expect):
    """causal_average(x)[:, t] is the mean of x[:, 0] to x[:, t]."""
    for B, T, C in [(3, 7, 4), (2, 1, 5), (1, 5, 1)]:
        x = draw.randn(B, T, C)
        for dtype in (torch.float64, torch.float32):
            inputs = x.to(dtype)
            expected = torch.stack([inputs[:, : t + 1].double().mean(dim=1) for t in range(T)], dim=1)
            out = student.model.attention.causal_average(inputs)
            expect.close(
                f"causal_average of {dtype} {(B, T, C)}".replace("torch.", ""),
                out,
                expected.to(dtype),
                rule="Position t is the mean of positions 0 to t: t + 1 rows, itself included, in x's dtype.",
            )
        half = student.model.attention.causal_average(x.to(torch.bfloat16))
        what = f"causal_average of bfloat16 {(B, T, C)}"
        expect.tensor(what, half, shape=(B, T, C), dtype=torch.bfloat16, rule="The mean is in x's dtype.")


def test_causal_mask(student, draw, expect):
    """causal_mask(T) is a bool (T, T) with True where the column is not after the row."""
    causal_mask = student.model.attention.causal_mask
    for T in (1, 2, 3, 8, draw.integer(9, 20)):
        mask = causal_mask(T)
        expect.tensor(f"causal_mask({T})", mask, shape=(T, T), dtype=torch.bool, record=True)
        expect.equal(
            f"the values of causal_mask({T})",
            mask,
            weights.causal_mask(T),
            rule="Row t is True from column 0 up to column t, itself included, and False after it.",
        )
    for what, mask in [
        ('causal_mask(4, device="cpu")', causal_mask(4, device="cpu")),
        ("causal_mask(4, None)", causal_mask(4, None)),
    ]:
        expect.equal(what, mask, weights.causal_mask(4), rule="device is an optional second argument.")
    elsewhere = student.value(student.keep(causal_mask, 4, device="meta").device.type)
    rule = f'causal_mask(4, device="meta") is on "{elsewhere}": on a GPU, a mask that stayed on the CPU fits no scores.'
    expect.equal("the mask's device", elsewhere, "meta", rule=rule)


def test_attention_values(student, draw, expect):
    """Without a mask, weights and out are exact for T unlike S, D unlike Dv, and any leading dimensions.

    The factor on the scores is the next item's; here any does.
    """
    attention = student.model.attention.attention
    rule = "The weights are the softmax of the scaled q kᵀ, each row over all S positions of the keys."
    for lead, T, S, D, Dv in [
        ((), 3, 4, 5, 2),
        ((2,), 4, 6, 3, 5),
        ((2, 3), 5, 4, 7, 6),
        ((3, 1, 2), 4, 5, 6, 7),
        ((2, 3), 5, 4, 7, 7),  # four dimensions and D = Dv: the sizes that fused kernels take
        ((4, 2), 1, 3, 5, 6),
        ((2,), 5, 1, 3, 4),
        ((3,), 5, 5, 5, 5),
    ]:
        q, k, v = draw.randn(*lead, T, D), draw.randn(*lead, S, D), draw.randn(*lead, S, Dv)
        for dtype in (torch.float64, torch.float32):
            what = f"q {(*lead, T, D)}, k {(*lead, S, D)}, v {(*lead, S, Dv)}, {dtype}".replace("torch.", "")
            given = q.to(dtype), k.to(dtype), v.to(dtype)
            expect_attention(expect, what, attention(*given), *given, rule=rule, any_scale=True)
    expect_attention(expect, f"{what}, mask=None", attention(*given, mask=None), *given, rule=rule, any_scale=True)


def test_attention_scale(student, draw, expect):
    """The scale that the weights imply is 1 / sqrt(D), whatever the other sizes are."""
    for B, H, T, S, D, Dv in [(2, 3, 4, 7, 5, 6), (3, 2, 5, 4, 11, 7)]:
        q, k, v = draw.randn(B, H, T, D), draw.randn(B, H, S, D), draw.randn(B, H, S, Dv)
        _, found = pair(expect, f"D = {D}", student.model.attention.attention(q, k, v))
        expect.tensor(f"weights for D = {D}", found, shape=(B, H, T, S), dtype=torch.float64)
        scale = implied_scale(found, q @ k.transpose(-2, -1))
        names = {"1 (no scale)": 1, "1/D": 1 / D, "sqrt(D)": D**0.5, "1/sqrt(T)": T**-0.5, "1/sqrt(S)": S**-0.5}
        names |= {"1/sqrt(Dv)": Dv**-0.5, "1/sqrt(H)": H**-0.5, "1/sqrt(H*D)": (H * D) ** -0.5}
        names |= {"D": D, "1/sqrt(B)": B**-0.5, "1/T": 1 / T, "1/S": 1 / S}
        fits = [name for name, value in names.items() if abs(scale / value - 1) < 1e-6]
        expect.close(
            f"the factor on the scores for D = {D}",
            scale,
            D**-0.5,
            rule="Scores of q kᵀ are multiplied by "
            + (f"{fits[0]}, should be 1/sqrt(D)." if fits else "1/sqrt(D), D being the last dimension of q."),
        )


def implied_scale(found, products):
    """The factor a for which rows of `found` are softmax(a * products): least squares on the logarithms."""
    if not is_tensor(found, products.shape):
        return math.nan
    logs = found.double().log()
    logs, products = logs - logs.mean(-1, keepdim=True), products - products.mean(-1, keepdim=True)
    return ((logs * products).sum() / products.pow(2).sum()).item()


def random_mask(draw, T, S):
    """Bool (T, S), about half True, at least one True in each row."""
    mask = draw.rand(T, S) < 0.5
    mask[torch.arange(T), draw.randint(0, S, (T,))] = True
    return mask


def test_attention_mask(student, draw, expect):
    """Hidden positions get weight 0 and the visible ones share 1, for causal and for arbitrary masks."""
    attention = student.model.attention.attention
    rule = "Hidden scores leave the softmax: exp(score) / (sum of exp over the visible positions), else 0."
    for what, lead, mask in [
        ("causal mask", (2, 3), weights.causal_mask(5)),
        ("random mask", (2,), random_mask(draw, 4, 6)),
        ("random square mask", (), random_mask(draw, 6, 6)),
        ("one visible position", (3, 2), torch.eye(7, dtype=torch.bool).roll(2, dims=1)[:4]),
        ("a mask that hides nothing", (2,), torch.ones(3, 5, dtype=torch.bool)),
        ("the last rows of a causal mask", (2, 2), weights.causal_mask(7)[-3:]),
    ]:
        T, S = mask.shape
        q, k, v = draw.randn(*lead, T, 8), draw.randn(*lead, S, 8), draw.randn(*lead, S, 9)
        for dtype in (torch.float64, torch.float32):
            given = q.to(dtype), k.to(dtype), v.to(dtype)
            label = f"{what}, {dtype}".replace("torch.", "")
            expect_attention(expect, label, attention(*given, mask), *given, mask, rule=rule)
    expect_attention(expect, "mask by name", attention(q, k, v, mask=mask), q, k, v, mask, rule=rule)


def test_attention_large_scores(student, draw, expect):
    """With scores from -50 to 50 the weights are exact, and the highest hidden score still gets nothing."""
    T, D, Dv = 6, 5, 3
    direction = draw.randn(D)
    direction = direction / direction.norm()
    # Scores rise along the keys from -50 to 50, so that a causal mask always hides the highest.
    q = direction.expand(T, D) * math.sqrt(D)
    k = direction * torch.linspace(-50, 50, T, dtype=torch.float64)[:, None]
    v = draw.randn(T, Dv)
    mask = weights.causal_mask(T)
    attention = student.model.attention.attention
    rule = "A hidden score still takes weight from the visible ones when these are low."
    expect_attention(expect, "causal mask", attention(q, k, v, mask), q, k, v, mask, rule=rule)
    q, k, v = q.float(), k.float(), v.float()
    rule = "float32 holds exp(50), and the softmax of such scores."
    expect_attention(expect, "no mask, float32", attention(q, k, v), q, k, v, rule=rule)


# One head


def test_head_shape(student, draw, expect):
    """Head(...)(x) is (B, T, head_size) with x's dtype, for T from 1 to block_size, in both modes."""
    for B, T, C, D, block_size in HEAD_SIZES:
        head = student.model.attention.Head(C, D, block_size)
        expect_registered(student, expect, f"Head({C}, {D}, {block_size})", head, C, 3 * C * D)
        x = draw.randn(B, T, C)
        what = f"Head({C}, {D}, {block_size}) of {(B, T, C)}"
        expect.tensor(what, head(x.float()), shape=(B, T, D), dtype=torch.float32)
        head.eval()
        expect.tensor(f"{what}, eval", head(x.float()), shape=(B, T, D), dtype=torch.float32)
        head.double()
        out = head(x)
        expect.note(f"{what}: where it is finite", finite_positions(out))
        expect.tensor(f"{what}, float64", out, shape=(B, T, D), dtype=torch.float64)


def test_head_values(student, draw, expect):
    """Under given weights Head is exactly causal attention of x Wq, x Wk and x Wv."""
    rule = "Head computes attention(x Wq, x Wk, x Wv) under the causal mask, scaled by 1/sqrt(head_size)."
    for B, T, C, D, block_size in HEAD_SIZES:
        given = weights.head_weights(draw, C, D)
        head = build_head(student, given, block_size)
        for length in dict.fromkeys((T, 1, block_size)):
            x = draw.randn(B, length, C)
            what = f"Head({C}, {D}, {block_size}) of {(B, length, C)}"
            expect.close(what, head(x), weights.head(x, given), rule=rule, record=length == T > 1)
    x, given = steep_input(draw, 3, 5, 8), steep_head_weights(draw, 8, 4)
    rule = "With scores from -50 to 50, some of what the mask hides still comes through, or some of the rest is lost."
    expect.close("large scores", build_head(student, given, 6)(x), weights.head(x, given), rule=rule)
    given = weights.head_weights(draw, 9, 5)
    x = draw.randn(2, 4, 9)
    head = build_head(student, given, 6)
    head.float()
    rule = "In float32 the output is float32, and close to the exact one."
    expect.close("float32", head(x.float()), weights.head(x.float(), given).float(), rule=rule)


def steep_input(draw, B, T, C):
    """Float64 (B, T, C): channel 0 is 1, channel 1 rises from -1 to 1, the rest is noise."""
    x = draw.randn(B, T, C)
    x[:, :, 0] = 1
    x[:, :, 1] = torch.linspace(-1, 1, T)
    return x


def steep_maps(draw, C, D):
    """Wq and Wk (C, D) under which every score of `steep_input` is 50 times the key's channel 1."""
    direction = draw.randn(D)
    direction = direction / direction.norm()
    to_q, to_k = torch.zeros(C, D, dtype=torch.float64), torch.zeros(C, D, dtype=torch.float64)
    to_q[0], to_k[1] = direction * math.sqrt(D), direction * 50
    return to_q, to_k


def steep_head_weights(draw, C, D):
    to_q, to_k = steep_maps(draw, C, D)
    return weights.head_weights(draw, C, D) | {"q": to_q, "k": to_k}


def steep_multi_head_weights(draw, C, H):
    given = weights.multi_head_weights(draw, C)
    to_q, to_k = (torch.cat(maps, dim=1) for maps in zip(*(steep_maps(draw, C, C // H) for _ in range(H)), strict=True))
    given["c_attn.weight"] = torch.cat([to_q, to_k, given["c_attn.weight"][:, 2 * C :]], dim=1)
    return given


def expect_causal_modes(student, expect, module, x, noise):
    """Causal in eval mode and in training mode."""
    call = influence.caller(student, module)
    influence.expect_causal(expect, call, x, noise)
    module.train()
    influence.expect_causal(expect, call, x, noise, label="training mode: ")


def test_head_causal(student, draw, expect):
    """out[:, t] moves with every x[:, s] for s up to t and with none after it, at every cut."""
    for B, T, C, D, block_size in [(2, 6, 10, 4, 8), (1, 5, 7, 3, 5)]:
        given = weights.head_weights(draw, C, D)
        x, noise = draw.randn(B, T, C), draw.randn(B, T, C)
        head = build_head(student, given, block_size)
        if block_size > T:
            expect_causal_modes(student, expect, head, x, noise)
        else:
            influence.expect_causal(expect, influence.caller(student, head), x, noise, label="T = block_size: ")


# Several heads


def test_multi_head_shape(student, draw, expect):
    """MultiHeadAttention(...)(x) is (B, T, C) with x's dtype, for T from 1 to block_size, in both modes."""
    for B, T, C, H, block_size in MULTI_HEAD_SIZES:
        module = student.model.attention.MultiHeadAttention(C, H, block_size)
        name = f"MultiHeadAttention({C}, {H}, {block_size})"
        expect_registered(student, expect, name, module, C, 4 * C * C)
        x = draw.randn(B, T, C)
        what = f"{name} of {(B, T, C)}"
        expect.tensor(what, module(x.float()), shape=(B, T, C), dtype=torch.float32)
        module.eval()
        expect.tensor(f"{what}, eval", module(x.float()), shape=(B, T, C), dtype=torch.float32)
        module.double()
        out = module(x)
        expect.note(f"{what}: where it is finite", finite_positions(out))
        expect.tensor(f"{what}, float64", out, shape=(B, T, C), dtype=torch.float64)


def test_multi_head_values(student, draw, expect):
    """Under given weights the output is exact, for one head, for many, and for every length."""
    rule = "Each head attends with its own slice of q, k and v; the slices, side by side again, go through c_proj."
    for B, T, C, H, block_size in MULTI_HEAD_SIZES:
        given = weights.multi_head_weights(draw, C)
        new = student.model.attention.MultiHeadAttention(C, H, block_size)
        name = f"MultiHeadAttention({C}, {H}, {block_size})"
        expect_registered(student, expect, name, new, C, 4 * C * C)
        module = build_multi_head(student, given, H, block_size)
        for length in dict.fromkeys((T, 1, block_size)):
            x = draw.randn(B, length, C)
            what = f"{name} of {(B, length, C)}"
            expect.close(what, module(x), weights.multi_head(x, given, H), rule=rule, record=length == T > 3)
    x, given = steep_input(draw, 2, 5, 12), steep_multi_head_weights(draw, 12, 3)
    story = "With scores from -50 to 50, some of what the mask hides still comes through, or some of the rest is lost."
    module = build_multi_head(student, given, 3, 6)
    expect.close("large scores", module(x), weights.multi_head(x, given, 3), rule=story)
    given = weights.multi_head_weights(draw, 10)
    x = draw.randn(3, 4, 10).float()
    module = build_multi_head(student, given, 2, 6)
    module.float()
    story = "In float32 the output is float32, and close to the exact one."
    expect.close("float32", module(x), weights.multi_head(x, given, 2).float(), rule=story)


def test_multi_head_causal(student, draw, expect):
    """out[:, t] moves with every x[:, s] for s up to t and with none after it, at every cut."""
    for B, T, C, H, block_size in [(2, 6, 12, 3, 8), (1, 5, 8, 4, 5)]:
        given = weights.multi_head_weights(draw, C)
        x, noise = draw.randn(B, T, C), draw.randn(B, T, C)
        module = build_multi_head(student, given, H, block_size)
        if block_size > T:
            expect_causal_modes(student, expect, module, x, noise)
        else:
            call = influence.caller(student, module)
            influence.expect_causal(expect, call, x, noise, label="T = block_size: ")


def test_attention_weights(student, draw, expect):
    """attention_weights(x) is exactly the (B, H, T, T) table that forward weighs the values with."""
    for B, T, C, H, block_size in reversed(MULTI_HEAD_SIZES):
        given = weights.multi_head_weights(draw, C)
        x = draw.randn(B, T, C)
        expect.close(
            f"attention_weights of {(B, T, C)}, {H} heads",
            build_multi_head(student, given, H, block_size).attention_weights(x),
            weights.multi_head_attention_weights(x, given, H),
            rule="Head h's table is softmax(q kᵀ / sqrt(D)) of its own slices, under the causal mask.",
            record=T > 3,
        )
    expect.close(
        "attention_weights in eval mode with dropout=0.5",
        build_multi_head(student, given, H, block_size, 0.5).attention_weights(x),
        weights.multi_head_attention_weights(x, given, H),
        rule="Dropout has no part in the table that is looked at.",
        record=False,
    )


def test_errors(student, draw, expect):
    """ValueError if n_head does not divide n_embd, and if the input is longer than block_size."""
    make = student.model.attention.MultiHeadAttention

    def run(n_embd, n_head, block_size, x):
        return make(n_embd, n_head, block_size)(x)

    x = draw.randn(3, 5, 8).float()
    expect.tensor("8 channels, 2 heads, 5 of 5 positions", run(8, 2, 5, x), shape=(3, 5, 8), finite=False)
    for C, H in [(10, 4), (6, 5), (3, 6)]:
        expect.raises(
            f"MultiHeadAttention({C}, {H}, 5)",
            ValueError,
            run,
            C,
            H,
            5,
            draw.randn(2, 4, C).float(),
            rule=f"{C} channels can't be cut into {H} equal slices, and nobody notices until much later.",
        )
    for T in (6, 11):
        expect.raises(
            f"MultiHeadAttention(8, 2, 5) of {T} positions",
            ValueError,
            run,
            8,
            2,
            5,
            draw.randn(3, T, 8).float(),
            rule="block_size = 5 is the longest input that the model is made for.",
        )


# Learning


def expect_trainable(student, expect, what, module, untouched, x, seed, direction, smallest):
    """All weights are parameters, the gradient reaches each of them, and is right on its way to x.

    untouched: a new module of the same sizes, with its own first weights.
    smallest: the number of values in the matrices that load_weights fills. The gradient of a key's bias is zero
    by the mathematics, so tensors no larger than the bias of q, k and v together are only asked to take part.
    """
    C = x.shape[-1]
    size = trainable(student.parameters(module))
    expect.true(
        f"{what}: all weights are parameters",
        size >= smallest,
        rule=f"{what}.parameters() holds {size} trainable values, and the matrices alone have {smallest}. "
        "What is missing there, no optimizer ever moves.",
        evidence=size >= smallest,
    )
    out = student.backward(module, x, seed=seed)
    expect.tensor(f"{what}: output", out, shape=seed.shape, dtype=torch.float64, record=True)
    moving = [p["requires_grad"] for p in student.parameters(module)]
    gradients = [g for g, moves in zip(student.gradients(module), moving, strict=True) if moves]
    reached = all(isinstance(g, torch.Tensor) for g in gradients)
    expect.true(
        f"{what}: every parameter has a gradient",
        reached,
        rule=f"After backward() some parameters of {what} have no gradient: the output does not depend on them.",
        evidence=reached,
    )
    matrices = [g for g in gradients if isinstance(g, torch.Tensor) and g.numel() > 3 * C]
    dead = any(has_dead_slice(g) for g in matrices)
    expect.true(
        f"{what}: the gradient reaches all of every matrix",
        not dead,
        rule=f"Some rows or columns of a matrix of {what} have gradient zero: part of the way back is cut.",
        evidence=dead,
    )
    values = [p for p in student.get_parameters(untouched) if isinstance(p, torch.Tensor) and p.numel() > 3 * C]
    constant = sum(p.numel() for p in values if bool((p == p.reshape(-1)[0]).all()))
    expect.true(
        f"{what}: the weights start apart",
        2 * constant < smallest,
        rule=f"Half or more of the weights of a new {what} are one and the same number: equal weights learn in step, "
        "and queries and keys that are both zero never learn at all.",
        evidence=2 * constant < smallest,
    )
    gradient = student.input_gradient(module, x, seed)
    expect.tensor(f"{what}: gradient of the input", gradient, shape=x.shape, dtype=torch.float64)
    step = 1e-5
    ahead, behind = influence.caller(student, module)([x + step * direction, x - step * direction])
    right = False
    if is_tensor(gradient, x.shape) and is_tensor(ahead, seed.shape) and is_tensor(behind, seed.shape):
        slope = ((ahead - behind) * seed).sum() / (2 * step)
        right = bool((slope - (gradient * direction).sum()).abs() <= 1e-6 * (1 + slope.abs()))
    expect.true(
        f"{what}: the gradient is the slope",
        right,
        rule=f"The gradient of {what} is not the slope of its output: look for detach(), .data or no_grad().",
        evidence=right,
    )


def has_dead_slice(gradient):
    """Whether some slice along some axis is zero throughout."""
    alive = gradient != 0
    for axis in range(gradient.ndim):
        others = [other for other in range(gradient.ndim) if other != axis]
        if not bool((alive.any(dim=others) if others else alive).all()):
            return True
    return False


def test_parameters(student, draw, expect):
    """Head and MultiHeadAttention register all their weights, and gradients reach them and the input."""
    B, T, C, D, H, block_size = 2, 5, 12, 4, 3, 7
    x, direction = draw.randn(B, T, C), draw.randn(B, T, C)
    given, seed = weights.head_weights(draw, C, D), draw.randn(B, T, D)
    head = build_head(student, given, block_size)
    new = student.model.attention.Head(C, D, block_size)
    expect_trainable(student, expect, "Head", head, new, x, seed, direction, 3 * C * D)
    given, seed = weights.multi_head_weights(draw, C), draw.randn(B, T, C)
    module = build_multi_head(student, given, H, block_size)
    new = student.model.attention.MultiHeadAttention(C, H, block_size)
    expect_trainable(student, expect, "MultiHeadAttention", module, new, x, seed, direction, 4 * C * C)


def test_load_weights(student, draw, expect):
    """Biases that are not zero are applied or refused with ValueError, each of them; zero ones are accepted."""
    B, T, C, H, block_size = 2, 5, 12, 3, 7
    given = weights.multi_head_weights(draw, C, bias=True)
    x = draw.randn(B, T, C)
    quiet = {name: torch.zeros_like(value) if name.endswith("bias") else value for name, value in given.items()}
    module = build_multi_head(student, quiet, H, block_size)
    story = "Zero biases must be accepted, and change nothing."
    expect.close("zero biases", module(x), weights.multi_head(x, quiet, H), rule=story)
    for name in ("c_attn.bias", "c_proj.bias"):
        one = quiet | {name: given[name]}
        try:
            module.load_weights(one)
        except StudentError as error:
            expect.true(
                f"{name} refused",
                "ValueError" in error.bases,
                rule=f"A layer without {name} refuses a non-zero one with ValueError; this raised {error.type}.",
                evidence=error.type,
            )
        else:
            story = f"load_weights took a non-zero {name}, but the output is not that of the layer with it."
            expect.close(f"{name} applied", module(x), weights.multi_head(x, one, H), rule=story)
    module.load_weights(quiet)
    story = "Loading a second time replaces everything from the first."
    expect.close("zero biases again", module(x), weights.multi_head(x, quiet, H), rule=story)


# With a single position the only weight is 1, which makes dropout countable: the output is a linear function of x,
# or zero with probability p if there is one dropout on the way, 1 - (1 - p)^2 if there are two, and its mean over
# many runs is that without dropout. The bounds are six standard deviations away for two dropouts and 3840 samples.
RATE, RUNS = 0.25, 160


def expect_dropout(student, expect, what, build, x, single, given, plain_given):
    """Dropout follows the mode and the rate, and acts behind the softmax.

    build(weights, rate) makes the module in eval mode; single (B, 1, C) goes with `plain_given`, under which nothing
    is mixed after the heads. What is right is what the module itself says without dropout, so that
    another mistake does not count as one of dropout.
    """
    module = build(given, 0.0)
    without = module(x)
    expect.tensor(f"{what}: output", without, dtype=torch.float64)
    alone = module(single)  # one position: what a mask does in training mode is another item's business
    module.train()
    rule = "With dropout=0.0 training mode gives the same output as eval mode."
    expect_same(expect, f"{what}: training mode without dropout", module(single), alone, rule)

    module = build(given, RATE)
    for number in (1, 2):
        rule = f"In eval mode dropout={RATE} must make no difference, and here it does."
        expect_same(expect, f"{what}: eval mode with dropout, call {number}", module(x), without, rule)
    module.train()
    alive = not same(module(x), module(x))
    rule = f"{what} with dropout={RATE}, two calls in training mode: the outputs are equal."
    expect.true(f"{what}: dropout in training mode", alive, rule=rule, evidence=alive)

    module = build(plain_given, RATE)
    plain = module(single)
    expect.tensor(f"{what}: output of one position", plain, dtype=torch.float64)
    module.train()
    runs = student.repeat(module, RUNS, single)
    shaped = isinstance(plain, torch.Tensor) and all(is_tensor(out, plain.shape) for out in runs)
    expect.true(f"{what}: outputs in training mode", shaped, rule="The output changes its shape in training mode.")
    if not shaped:
        return
    plain, runs = plain.double(), torch.stack(runs).double()
    alive = bool((runs != plain).any())
    rule = "With one position, and one weight of 1, dropout makes no difference: it acts before the softmax."
    expect.true(f"{what}: dropout behind the softmax", alive, rule=rule, evidence=alive)
    mean = ((runs.mean(dim=0) * plain).sum() / plain.pow(2).sum()).item()
    rule = f"Dropout with rate {RATE} scales the mean output by {mean:.2f}: what stays is divided by 1 - rate."
    expect.true(f"{what}: dropout keeps the mean", 0.87 <= mean <= 1.13, rule=rule, evidence=0.87 <= mean <= 1.13)
    dropped = (runs == 0).double().mean().item()
    rule = f"With dropout={RATE}, {dropped:.0%} of the values are dropped."
    expect.true(f"{what}: dropout rate", 0.15 <= dropped <= 0.67, rule=rule, evidence=0.15 <= dropped <= 0.67)


def same(a, b):
    """Equal tensors, up to the rounding of another order of summation."""
    return is_tensor(a, getattr(b, "shape", ())) and bool(((a - b).abs() <= 1e-9 * (1 + b.abs())).all())


def expect_same(expect, what, actual, expected, rule):
    held = isinstance(expected, torch.Tensor) and same(actual, expected)
    expect.true(what, held, rule=rule, evidence=held)


def test_dropout(student, draw, expect):
    """In training mode outputs differ and their mean is right; in eval mode, and with rate 0, nothing is dropped."""
    T, C, D, H, block_size = 5, 12, 4, 3, 7
    x, single = draw.randn(2, T, C), draw.randn(24, 1, C)

    def head(given, rate):
        return build_head(student, given, block_size, rate)

    def multi_head(given, rate):
        return build_multi_head(student, given, H, block_size, rate)

    given = weights.head_weights(draw, C, D)
    expect_dropout(student, expect, "Head", head, x, single, given, given)
    given = weights.multi_head_weights(draw, C)
    plain_given = given | {"c_proj.weight": torch.eye(C).double()}
    expect_dropout(student, expect, "MultiHeadAttention", multi_head, x, single, given, plain_given)


def test_independence(student, draw, expect):
    """A row of the batch does not move with another row, in either mode, and no call writes into its inputs."""
    B, T, C, D, H, block_size = 3, 5, 12, 4, 2, 7
    x, other = draw.randn(B, T, C), draw.randn(B, T, C)
    other[1] = x[1]
    q, k, v = draw.randn(B, T, D), draw.randn(B, 6, D), draw.randn(B, 6, C)
    mask = random_mask(draw, T, 6)
    for what, module in [
        ("Head", build_head(student, weights.head_weights(draw, C, D), block_size)),
        ("MultiHeadAttention", build_multi_head(student, weights.multi_head_weights(draw, C), H, block_size)),
    ]:
        for mode in ("eval", "train"):
            getattr(module, mode)()
            here, there, alone = influence.caller(student, module)([x, other, x[1:2]])
            expect.tensor(f"{what}, {mode}: output", here, dtype=torch.float64)
            for label, row, number in [("with other rows", there, 1), ("on its own", alone, 0)]:
                shaped = all(isinstance(out, torch.Tensor) and out.ndim == 3 for out in (here, row))
                same = shaped and bool(((here[1] - row[number]).abs() < 1e-9).all())
                expect.true(
                    f"{what}, {mode}: a row {label}",
                    same,
                    rule=f"The output of one row of the batch changes when it is computed {label}.",
                    evidence=same,
                )
        kept = student.put(x)
        student.keep(module, kept)
        expect.equal(f"the input after {what}", student.value(kept), x, rule=f"{what} changed its input in place.")
    inputs = {"q": q, "k": k, "v": v, "mask": mask}
    kept = {name: student.put(value) for name, value in inputs.items()}
    student.keep(student.model.attention.attention, *kept.values())
    for name, value in inputs.items():
        expect.equal(f"{name} after attention", student.value(kept[name]), value, rule=f"attention changed {name}.")
    kept = student.put(x)
    student.keep(student.model.attention.causal_average, kept)
    expect.equal("x after causal_average", student.value(kept), x, rule="causal_average changed x in place.")


def test_shape_table(student, draw, expect):
    """notes/architecture.md gives the shape of each tensor of the attention layer in symbols."""
    path = "notes/architecture.md"
    there = path in student.files.list()
    expect.true(f"{path} is there", there, rule=f"The workspace has no {path}.")
    text = student.files.get(path).decode("utf-8", "replace") if there else ""
    shape_table.check(
        expect,
        text,
        rows={
            "q": "(B, H, T, D)",
            "k": "(B, H, T, D)",
            "v": "(B, H, T, D)",
            "scores": "(B, H, T, T)",
            "weights": "(B, H, T, T)",
            "heads": "(B, H, T, D)",
            "merged": "(B, T, C)",
            "out": "(B, T, C)",
        },
    )
