"""Judges the functions of model/attention.py: causal_average, causal_mask and attention, on given tensors."""

import math

import torch

from milestones.hidden import weights

from .large_scores import rising_queries_and_keys
from .modules import is_floating

SOFTMAX = "The weights must be the softmax of the scaled q kᵀ, each row over all S positions of the keys."
MASKED = (
    "A hidden score must not enter the softmax: its weight must be 0, and every other weight exp(score) divided by the "
    "sum of exp over the visible scores."
)

NO_SCALE = 1e-6  # a factor on the scores under this is none: the weights are spread evenly, whatever q and k are


def dtype_name(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def in_both_dtypes(*tensors):
    """The tensors in float64, then in float32."""
    yield tensors
    yield tuple(tensor.float() for tensor in tensors)


# causal_average


def test_causal_average(student, draw, expect):
    """causal_average(x)[:, t] is the mean of x[:, 0] to x[:, t]."""
    causal_average = student.model.attention.causal_average
    for B, T, C in [(3, 7, 4), (2, 1, 5), (1, 5, 1)]:
        exact = draw.randn(B, T, C)
        for (x,) in in_both_dtypes(exact):
            expected = torch.stack([x[:, : t + 1].double().mean(dim=1) for t in range(T)], dim=1)
            expect.close(
                f"causal_average of a {dtype_name(x)} x {(B, T, C)}",
                causal_average(x),
                expected.to(x.dtype),
                rule="Position t must be the mean of the t + 1 positions 0 to t, in the dtype of x.",
            )
        expect.tensor(
            f"causal_average of a bfloat16 x {(B, T, C)}",
            causal_average(exact.bfloat16()),
            shape=(B, T, C),
            dtype=torch.bfloat16,
            rule="The average must have the shape and the dtype of x.",
        )


# causal_mask


def test_causal_mask(student, draw, expect):
    """causal_mask(T) is a bool (T, T) with True where the column is not after the row."""
    causal_mask = student.model.attention.causal_mask
    rule = "The mask must be bool (T, T), True on and below the diagonal and False above it."
    for T in (1, 2, 3, 8, draw.integer(9, 20)):
        expect.equal(f"causal_mask({T})", causal_mask(T), weights.causal_mask(T), rule=rule)
    rule = "causal_mask must take the device as an optional second argument, and give the same mask with it."
    expect.equal('causal_mask(4, device="cpu")', causal_mask(4, device="cpu"), weights.causal_mask(4), rule=rule)
    expect.equal("causal_mask(4, None)", causal_mask(4, None), weights.causal_mask(4), rule=rule)
    elsewhere = student.keep(causal_mask, 4, device="meta")
    expect.equal(
        'the device of causal_mask(4, device="meta")',
        student.value(elsewhere.device.type),
        "meta",
        rule="The mask must be made on the device that is asked for: on a GPU, a mask on the CPU fits no scores.",
    )


# attention


def test_attention_values(student, draw, expect):
    """Without a mask, weights and out are exact for T unlike S, D unlike Dv, and any leading dimensions.

    The factor on the scores is the next item's; here any does.
    """
    attention = student.model.attention.attention
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
        exact = draw.randn(*lead, T, D), draw.randn(*lead, S, D), draw.randn(*lead, S, Dv)
        for q, k, v in in_both_dtypes(*exact):
            what = f"{dtype_name(q)} q {(*lead, T, D)}, k {(*lead, S, D)}, v {(*lead, S, Dv)}"
            expect_attention(expect, what, attention(q, k, v), q, k, v, rule=SOFTMAX, any_scale=True)
    q, k, v = draw.randn(2, 4, 3), draw.randn(2, 5, 3), draw.randn(2, 5, 6)
    expect_attention(expect, "mask=None", attention(q, k, v, mask=None), q, k, v, rule=SOFTMAX, any_scale=True)


def test_attention_scale(student, draw, expect):
    """The scale that the weights imply is 1 / sqrt(D), whatever the other sizes are."""
    for B, H, T, S, D, Dv in [(2, 3, 4, 7, 5, 6), (3, 2, 5, 4, 11, 7)]:
        q, k, v = draw.randn(B, H, T, D), draw.randn(B, H, S, D), draw.randn(B, H, S, Dv)
        what = f"D = {D}"
        _, found = pair(expect, what, student.model.attention.attention(q, k, v))
        expect_table(expect, what, found, (B, H, T, S), torch.float64)
        scale = implied_scale(found, q @ k.transpose(-2, -1))
        fits = expect.which_fits(scale, {"1/sqrt(D)": D**-0.5, **mistaken_scales(B, H, T, S, D, Dv)})
        reading = f", which is {fits}" if fits else ""
        expect.true(
            f"the scores for D = {D} are scaled by 1/sqrt({D})",
            fits == "1/sqrt(D)",
            rule="The scores must be q kᵀ times 1/sqrt(D), D being the last dimension of q and k.",
            saw=f"The factor on q kᵀ that fits the weights is {scale:.6g}{reading}; it should be {D**-0.5:.6g}.",
            evidence=scale,
        )


def test_attention_mask(student, draw, expect):
    """Hidden positions get weight 0 and the visible ones share 1, for causal and for arbitrary masks."""
    attention = student.model.attention.attention
    for what, lead, mask in [
        ("a causal mask", (2, 3), weights.causal_mask(5)),
        ("a random mask", (2,), random_mask(draw, 4, 6)),
        ("a random square mask", (), random_mask(draw, 6, 6)),
        ("a mask that shows one position", (3, 2), torch.eye(7, dtype=torch.bool).roll(2, dims=1)[:4]),
        ("a mask that hides nothing", (2,), torch.ones(3, 5, dtype=torch.bool)),
        ("the last rows of a causal mask", (2, 2), weights.causal_mask(7)[-3:]),
    ]:
        T, S = mask.shape
        exact = draw.randn(*lead, T, 8), draw.randn(*lead, S, 8), draw.randn(*lead, S, 9)
        for q, k, v in in_both_dtypes(*exact):
            label = f"{what}, {dtype_name(q)}"
            expect_attention(expect, label, attention(q, k, v, mask), q, k, v, mask, rule=MASKED)
    mask = random_mask(draw, 3, 7)
    q, k, v = draw.randn(2, 3, 8), draw.randn(2, 7, 8), draw.randn(2, 7, 9)
    expect_attention(expect, "a mask given by name", attention(q, k, v, mask=mask), q, k, v, mask, rule=MASKED)


def test_attention_large_scores(student, draw, expect):
    """With scores from -50 to 50 the weights are exact, and the highest hidden score still gets nothing."""
    attention = student.model.attention.attention
    T, D, Dv = 6, 5, 3
    q, k = rising_queries_and_keys(draw, T, D)
    v = draw.randn(T, Dv)
    mask = weights.causal_mask(T)
    rule = "A hidden score must lose against every visible one, also against one of -50."
    expect_attention(expect, "scores from -50 to 50, masked", attention(q, k, v, mask), q, k, v, mask, rule=rule)
    q, k, v = q.float(), k.float(), v.float()
    rule = "The softmax of scores from -50 to 50 must be exact in float32, too."
    expect_attention(expect, "float32 scores from -50 to 50", attention(q, k, v), q, k, v, rule=rule)


def expect_attention(expect, what, result, q, k, v, mask=None, *, rule, any_scale=False):
    """`result` is the exact (out, weights) of attention(q, k, v, mask), in the dtype of q.

    any_scale: another factor on the scores than 1 / sqrt(D) is as good, so long as there is one for all of them.
    """
    out, found = pair(expect, what, result)
    expected_out, expected = weights.attention(q.double() * excused(found, q, k) if any_scale else q, k, v, mask)
    expect_table(expect, what, found, expected.shape, q.dtype)
    record = q.dtype == torch.float64  # float32 tells mistakes apart no better
    sums = row_sums(found, q.dtype)
    share = "Each row of the weights must share out a total of 1 among the positions that its query may see."
    expect.close(
        f"the row sum of the weights for {what}", sums, torch.ones(q.shape[:-1]).to(q.dtype), rule=share, record=False
    )
    expect.close(f"the table of weights for {what}", found, expected.to(q.dtype), rule=rule, record=record)
    expect.close(f"out for {what}", out, expected_out.to(q.dtype), rule="out must be weights @ v.", record=record)


def pair(expect, what, result):
    """(out, weights), as attention() returned them."""
    found = kind_of(result)
    expect.need(
        f"attention returns a pair for {what}",
        found == "2 values",
        rule="attention must return two tensors, (out, weights).",
        saw=f"For {what}, attention returned {found}.",
        evidence=found,
    )
    return result


def kind_of(result):
    """What a call returned, as a message and the diagnosis need it."""
    if isinstance(result, (list, tuple)):
        return f"{len(result)} values"
    return "one tensor" if isinstance(result, torch.Tensor) else f"one {type(result).__name__}"


def expect_table(expect, what, found, shape, dtype):
    expect.tensor(
        f"the second result for {what}",
        found,
        shape=shape,
        dtype=dtype,
        finite=False,
        rule="The second result of attention must be the weights, (..., T, S), in the dtype of q.",
    )


def row_sums(table, dtype):
    """The sums over the last axis; of what is not a table, itself."""
    is_table = isinstance(table, torch.Tensor) and table.ndim > 0
    return table.double().sum(dim=-1).to(dtype) if is_table else table


def excused(found, q, k):
    """The factor on q that makes up for another scale than 1 / sqrt(D); 1 if the weights imply none, or 0."""
    scale = implied_scale(found, q.double() @ k.double().transpose(-2, -1))
    return scale * math.sqrt(q.shape[-1]) if math.isfinite(scale) and abs(scale) > NO_SCALE else 1.0


def implied_scale(found, products):
    """The factor a for which rows of `found` are softmax(a * products): least squares on the logarithms."""
    if not is_floating(found, products.shape):
        return math.nan
    logs = found.double().log()
    logs, products = logs - logs.mean(-1, keepdim=True), products - products.mean(-1, keepdim=True)
    return ((logs * products).sum() / products.pow(2).sum()).item()


def mistaken_scales(B, H, T, S, D, Dv):
    """What people multiply the scores by instead of 1/sqrt(D), by name."""
    return {
        "no scale at all": 1,
        "1/D": 1 / D,
        "D": D,
        "sqrt(D)": D**0.5,
        "1/sqrt(T)": T**-0.5,
        "1/sqrt(S)": S**-0.5,
        "1/sqrt(Dv)": Dv**-0.5,
        "1/sqrt(H)": H**-0.5,
        "1/sqrt(B)": B**-0.5,
        "1/sqrt(H·D)": (H * D) ** -0.5,
        "1/T": 1 / T,
        "1/S": 1 / S,
    }


def random_mask(draw, T, S):
    """Bool (T, S), about half True, at least one True in each row."""
    mask = draw.rand(T, S) < 0.5
    mask[torch.arange(T), draw.randint(0, S, (T,))] = True
    return mask
