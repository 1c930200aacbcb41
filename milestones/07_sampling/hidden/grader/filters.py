"""Judges sample/filters.py: which tokens each filter keeps, with which probabilities, and that it only reads its input.

A filter's logits count up to a constant that may be added to a row, since that changes no probability.
"""

import itertools
import math

import torch

from .formulas import INF, keep_best, keep_largest, keep_nucleus, penalised, seen_in
from .returned import need_tensor, same_tensor

SHAPES = [(7,), (3, 8), (2, 3, 11), (4, 1, 5)]
DTYPES = [torch.float64, torch.float32]
FORM = "A filter must return logits of the shape and dtype that it was given."
PROPORTIONS = "The tokens that stay must keep their proportions and share out all of the probability."
LOW_LOGITS = "A removed token must have probability 0, however low the logits that stay are."

# No running sum of probabilities may be nearer to p than this, or rounding would decide which tokens stay.
CLEAR_OF_P = 0.01


def label(what, shape, dtype):
    return f"{what}, logits {shape}, {dtype}".replace("torch.", "")


def distinct_logits(draw, *shape):
    """Float64 (..., V) within ±9: in each row a random order of values that lie well apart."""
    rows, vocab_size = math.prod(shape[:-1]), shape[-1]
    steps = 0.25 + draw.rand(rows, vocab_size)
    values = steps.cumsum(dim=1) - steps.sum(dim=1, keepdim=True) * draw.rand(rows, 1)
    order = torch.stack([draw.permutation(vocab_size) for _ in range(rows)])
    return values.gather(1, order).reshape(shape)


def need_probabilities(expect, what, out, logits):
    """softmax of a filter's output, in float64."""
    need_tensor(expect, what, out, shape=logits.shape, dtype=logits.dtype, rule=FORM)
    return out.double().softmax(dim=-1)


def expect_probabilities(expect, what, found, wanted, *, rule):
    """Close to float32 accuracy, also for float64 logits: a Python number that meets a tensor may become float32."""
    expect.close(f"{what}: the probability", found.float(), wanted.float(), rule=rule)


def expect_filtered(expect, what, out, logits, wanted, *, rule):
    """`out` keeps exactly the tokens that `wanted` (logits with -inf) keeps, with its probabilities."""
    found = need_probabilities(expect, what, out, logits)
    expect.equal(f"{what}: the mask of tokens that can be drawn", found > 0, wanted > -INF, rule=rule)
    expect_probabilities(expect, what, found, wanted.double().softmax(dim=-1), rule=PROPORTIONS)


# apply_temperature


def test_temperature(student, draw, expect):
    """softmax of the result is softmax(logits / temperature); at 0 the largest logit has all of it."""
    apply_temperature = student.sample.filters.apply_temperature
    for shape in SHAPES:
        temperatures = 1.0, 0.5, 2, draw.integer(60, 90) / 100, draw.integer(130, 190) / 100
        for temperature, dtype in itertools.product(temperatures, DTYPES):
            logits = distinct_logits(draw, *shape).to(dtype)
            what = label(f"temperature {temperature}", shape, dtype)
            found = need_probabilities(expect, what, apply_temperature(logits, temperature), logits)
            wanted = (logits.double() / temperature).softmax(dim=-1)
            rule = "apply_temperature must divide the logits by the temperature."
            expect_probabilities(expect, what, found, wanted, rule=rule)
    expect_temperature_zero(draw, expect, apply_temperature)


def expect_temperature_zero(draw, expect, apply_temperature):
    rule = "At temperature 0 only the largest logit of each row must stay, and no other token may be drawn."
    for shape in SHAPES:
        for zero, dtype in [(0.0, torch.float64), (0, torch.float64), (0.0, torch.float32)]:
            logits = distinct_logits(draw, *shape).to(dtype)
            what = label(f"temperature {zero!r}", shape, dtype)
            expect_filtered(expect, what, apply_temperature(logits, zero), logits, keep_best(logits), rule=rule)
    near = torch.tensor([1.0, 2.0, 2.0 + 1e-6, -INF, 0.5], dtype=torch.float64)
    what = "temperature 0, two logits that differ by 0.000001"
    expect_filtered(expect, what, apply_temperature(near, 0.0), near, keep_best(near), rule=rule)
    tied = torch.tensor([[3.0, 1.0, 3.0, 2.0], [-1.0, -1.0, -5.0, -1.0]], dtype=torch.float64)
    found = need_probabilities(expect, "temperature 0, equal logits", apply_temperature(tied, 0.0), tied)
    rule = "If several logits are equally large at temperature 0, all of them or any one must stay, and nothing else."
    best = tied == tied.max(dim=-1, keepdim=True).values
    expect_any_choice(expect, "temperature 0, equal logits", found, best, 1, rule=rule)


def expect_any_choice(expect, what, found, allowed, at_least, *, rule, always=None):
    """`allowed` tokens only can be drawn, at least so many in each row, and all of `always`.

    Which of the equal ones stay is a matter of style, so nothing but the verdict is evidence.
    """
    kept = found > 0
    held = bool((~kept | allowed).all()) and bool((kept.sum(dim=-1) >= at_least).all())
    if always is not None:
        held = held and bool((kept | ~always).all())
    saw = f"{what}: the mask of tokens that can be drawn is {kept.tolist()}."
    expect.true(f"{what}: the right tokens can be drawn", held, rule=rule, saw=saw)


# top_k


def test_top_k(student, draw, expect):
    """The k largest logits of each row keep their proportions, and every other token has probability 0."""
    top_k = student.sample.filters.top_k
    rule = "top_k must keep the k largest logits of each row, and no other token may be drawn."
    for shape in SHAPES:
        V = shape[-1]
        for k, dtype in itertools.product(dict.fromkeys((1, 2, draw.integer(3, V - 2), V - 1)), DTYPES):
            logits = distinct_logits(draw, *shape).to(dtype)
            what = label(f"k = {k}", shape, dtype)
            expect_filtered(expect, what, top_k(logits, k), logits, keep_largest(logits, k), rule=rule)
    low = distinct_logits(draw, 2, 6) - 40
    expect_filtered(expect, "k = 2, low logits", top_k(low, 2), low, keep_largest(low, 2), rule=LOW_LOGITS)
    logits = distinct_logits(draw, 3, 8)
    for k in (None, 8, 11):
        all_stay = "top_k must keep every token if k is None or not less than V."
        expect_filtered(expect, f"k = {k}, V = 8", top_k(logits, k), logits, logits, rule=all_stay)
    holes = logits.masked_fill(logits < logits.mean(dim=-1, keepdim=True), -INF)
    for k, wanted in [(1, keep_largest(holes, 1)), (7, holes)]:
        stay_removed = "A token that is at -inf already must stay there."
        expect_filtered(expect, f"k = {k}, tokens at -inf", top_k(holes, k), holes, wanted, rule=stay_removed)
    expect_top_k_of_equals(expect, top_k)


def expect_top_k_of_equals(expect, top_k):
    tied = torch.tensor([[2.0, 1.0, 1.0, 3.0, 0.0, 1.0], [5.0, 4.0, 5.0, 1.0, 5.0, 5.0]], dtype=torch.float64)
    third = tied.sort(dim=-1, descending=True).values[:, 2:3]
    found = need_probabilities(expect, "k = 3, equal logits", top_k(tied, 3), tied)
    rule = "If several logits equal the k-th largest, all of these or as many as make k must stay, and nothing smaller."
    expect_any_choice(expect, "k = 3, equal logits", found, tied >= third, 3, rule=rule, always=tied > third)


# top_p


def test_top_p(student, draw, expect):
    """The most probable tokens stay, up to and including the one that crosses p."""
    top_p = student.sample.filters.top_p
    rule = "top_p must keep tokens from the most probable one down; the one with which the sum reaches p is the last."
    worked = torch.tensor([0.5, 0.41, 0.09], dtype=torch.float64).log()
    for order, p in itertools.product(([0, 1, 2], [2, 0, 1], [1, 2, 0]), (0.9, 0.45, 0.95)):
        logits = worked[order]
        what = f"probabilities {[round(q, 2) for q in logits.exp().tolist()]}, p = {p}"
        expect_filtered(expect, what, top_p(logits, p), logits, keep_nucleus(logits, p), rule=rule)
    for shape in SHAPES:
        for p in (0.15, 0.5, draw.integer(60, 80) / 100, 0.93):
            exact = away_from_boundary(draw, shape, p)
            for dtype in DTYPES:
                logits = exact.to(dtype)
                what = label(f"p = {p}", shape, dtype)
                expect_filtered(expect, what, top_p(logits, p), logits, keep_nucleus(logits, p), rule=rule)
    expect_ends_of_p(draw, expect, top_p)
    low = away_from_boundary(draw, (2, 6), 0.6) - 40
    expect_filtered(expect, "p = 0.6, low logits", top_p(low, 0.6), low, keep_nucleus(low, 0.6), rule=LOW_LOGITS)
    holes = keep_largest(away_from_boundary(draw, (3, 8), 0.7, first=lambda logits: keep_largest(logits, 4)), 4)
    wanted = keep_nucleus(holes, 0.7)
    expect_filtered(expect, "p = 0.7, tokens at -inf", top_p(holes, 0.7), holes, wanted, rule=rule)


def expect_ends_of_p(draw, expect, top_p):
    logits = distinct_logits(draw, 2, 6) / 2
    one_stays = "The most probable token must stay whatever p is, and alone if p is next to nothing."
    for p in (0.0, 1e-6):
        expect_filtered(expect, f"p = {p!r}", top_p(logits, p), logits, keep_best(logits), rule=one_stays)
    if expect.recording:
        return  # whether a running sum reaches 1 hangs on its last bit, which differs from machine to machine
    for p in (1.0, 1):
        all_stay = "p = 1 must keep all tokens."
        expect_filtered(expect, f"p = {p!r}", top_p(logits, p), logits, logits, rule=all_stay)


def away_from_boundary(draw, shape, p, first=lambda logits: logits):
    """Logits of this shape; in each row no running sum of the sorted probabilities of first(logits) is near p."""
    rows, vocab_size = math.prod(shape[:-1]), shape[-1]
    spread = torch.tensor([0.3, 0.6, 0.9], dtype=torch.float64).repeat(2 * rows)[:, None]  # nuclei of all sizes
    many = distinct_logits(draw, 6 * rows, vocab_size) * spread
    sums = first(many).softmax(dim=-1).sort(dim=-1, descending=True).values.cumsum(dim=-1)
    clear = (sums - p).abs().amin(dim=-1) > CLEAR_OF_P
    chosen = clear.long().sort(descending=True, stable=True).indices[:rows]
    return many[chosen].reshape(shape)


# repetition_penalty


def test_repetition_penalty(student, draw, expect):
    """Seen tokens fall by the CTRL rule, once each and per row; the others keep their logits."""
    penalise = student.sample.filters.repetition_penalty
    for shape, N in [((7,), 3), ((3, 8), 5), ((4, 1, 5), 3), ((2, 3, 11), 4)]:
        for penalty, dtype in itertools.product((1.2, 3.0, draw.integer(150, 250) / 100), DTYPES):
            logits = distinct_logits(draw, *shape).to(dtype)
            ids = draw.randint(0, shape[-1], (*shape[:-1], N))
            ids[..., -1] = ids[..., 0]  # one token occurs twice
            expect_penalised(expect, label(f"penalty {penalty}", shape, dtype), penalise, logits, ids, penalty)
    logits = torch.tensor([[2.0, -1.0, 0.0, 0.5, -3.0]], dtype=torch.float64)
    for what, ids in [
        ("one positive token", [[0]]),
        ("one negative token", [[1]]),
        ("a logit of 0", [[2]]),
        ("a token seen four times", [[3, 3, 3, 3]]),
        ("every token", [[0, 1, 2, 3, 4]]),
    ]:
        expect_penalised(expect, what, penalise, logits, torch.tensor(ids), 2.0)
    expect_penalised(expect, "a penalty of 1, which changes nothing", penalise, logits, draw.randint(0, 5, (1, 3)), 1.0)
    holes = torch.tensor([[2.0, -INF, 1.0, -1.0]], dtype=torch.float64)
    expect_penalised(expect, "a token at -inf", penalise, holes, torch.tensor([[1, 0]]), 2.0)


def expect_penalised(expect, what, penalise, logits, ids, penalty):
    found = need_probabilities(expect, what, penalise(logits, ids, penalty), logits)
    wanted = penalised(logits.double(), seen_in(ids, logits.shape[-1]), penalty).softmax(dim=-1)
    rule = "Once, and in its own row only, a seen token's logit must be divided by the penalty if it is positive,"
    expect_probabilities(expect, what, found, wanted, rule=f"{rule} and multiplied by it if it is negative.")


# all four


def test_filters_untouched(student, draw, expect):
    """No filter writes into its input, and each keeps shape and dtype."""
    filters = student.sample.filters
    ids = draw.randint(0, 7, (2, 3, 4))
    idle = []
    for name, function, argument in [
        ("apply_temperature", filters.apply_temperature, 0.5),
        ("apply_temperature at 0", filters.apply_temperature, 0.0),
        ("top_k", filters.top_k, 2),
        ("top_p", filters.top_p, 0.6),
    ]:
        for dtype in DTYPES:
            logits = distinct_logits(draw, 2, 3, 7).to(dtype)
            here = student.put(logits)
            out = function(here, argument)
            idle.append(expect_new_logits(student, expect, label(name, (2, 3, 7), dtype), out, here, logits))
    for dtype in DTYPES:
        logits = distinct_logits(draw, 2, 3, 7).to(dtype)
        here, ids_here = student.put(logits), student.put(ids)
        out = filters.repetition_penalty(here, ids_here, 1.5)
        what = label("repetition_penalty", (2, 3, 7), dtype)
        idle.append(expect_new_logits(student, expect, what, out, here, logits))
        expect_as_before(student, expect, f"{what}: the ids", ids_here, ids)
    expect.true(
        "the filters do something",
        not all(idle),
        rule="The filters must change these logits.",
        saw="Every filter returned its input as it was.",
        record=False,
    )


def expect_new_logits(student, expect, what, out, here, logits):
    """The filter's output has the form of its input `here`, which is as before. Returns whether they are equal."""
    expect.tensor(what, out, shape=logits.shape, dtype=logits.dtype, finite=False, rule=FORM)
    expect_as_before(student, expect, f"{what}: the logits", here, logits)
    return same_tensor(out, logits)


def expect_as_before(student, expect, what, here, before):
    expect.true(
        f"{what} that were given are as before",
        same_tensor(student.value(here), before),
        rule="A filter must not write into what it was given.",
        saw=f"{what} that were given have been written into.",
    )
