"""Judges what generate draws (sample/generate.py): thousands of draws against the exact distribution.

Nothing is judged by the exact ids of a seed, so every right way to draw passes.
"""

import itertools

import torch

from .distributions import (
    RIGHT,
    draws,
    expect_distribution,
    filtered,
    joints,
    on_logits,
    repeatedly_penalised,
    with_context,
    with_penalty,
    with_rule,
)
from .formulas import ORDER, pipeline, seen_in
from .returned import need_ids
from .tables import random_tables, table_model, trajectories

# most_telling chooses logits by these. Two distributions differ by half the sum of their absolute differences.
SAME = 1e-6  # orders of filters that commute differ by rounding only
FAR_ENOUGH = 0.12  # from the right distribution: with so many draws, a larger difference adds nothing
TOLD_APART = 0.08  # between two wrong distributions, so that the right one of them is named
RIGHT_COUNTS = 100  # telling wrong from right comes first, telling wrong from wrong second


# softmax(logits / temperature)


def test_sampling(student, draw, expect):
    """Two new ids follow the exact joint distribution; rows and steps are independent."""
    V, block_size, n = 5, 6, 2
    tables = random_tables(draw, block_size, V, scale=1.6)
    model = table_model(student, tables)
    prompt = draw.randint(0, V, (3,)).tolist()
    for temperature in (1.0, 0.6, 1.7):
        what = f"temperature {temperature}"
        new = draws(student, draw, expect, what, model, prompt, n, V, temperature=temperature)
        known = joints(sampling_candidates(tables, temperature), prompt, n)
        rule = "The ids must follow softmax(logits / temperature) of the last position."
        expect_distribution(expect, what, new, V, known, rule=rule)
    expect_independent_rows(student, draw, expect, tables, prompt)
    expect_independent_steps(student, draw, expect, V)
    prompts = draw.randint(0, V, (4, 3))
    ids = student.sample.generate.generate(model, prompts, 3, temperature=0)
    need_ids(expect, "temperature 0", ids, prompts, 3, V)
    rule = "At temperature 0 each id must be the most probable one."
    expect.equal("temperature 0: the result", ids, trajectories(tables, prompts, 3), rule=rule)


def sampling_candidates(tables, temperature):
    """The right distribution first, then what common mistakes give."""
    t, block_size = temperature, len(tables)
    return {
        RIGHT: filtered(tables, temperature=t),
        "logits that are multiplied by the temperature": filtered(tables, temperature=1 / t),
        "temperature 1": filtered(tables),
        "logits that are divided by the temperature twice": filtered(tables, temperature=t * t),
        "the most probable token every time": on_logits(tables, lambda x: one_hot(x.argmax(), x)),
        "the least probable token every time": on_logits(tables, lambda x: one_hot(x.argmin(), x)),
        "tokens that are all equally probable": on_logits(tables, lambda x: torch.ones_like(x) / len(x)),
        "a softmax of the softmax": on_logits(tables, lambda x: (x / t).softmax(-1).softmax(-1)),
        "softmax first, temperature after it": on_logits(tables, lambda x: (x.softmax(-1) / t).softmax(-1)),
        "the logits of the first position": with_context(tables, lambda ids: ids[-block_size:][:1], t),
        "the logits of the last position but one": with_context(tables, lambda ids: ids[-block_size:][:-1], t),
        "the logits of the last token alone": with_context(tables, lambda ids: ids[-1:], t),
    }


def one_hot(index, like):
    return (torch.arange(len(like)) == index).to(like.dtype)


def expect_independent_rows(student, draw, expect, tables, prompt):
    V = tables.shape[-1]
    new = draws(student, draw, expect, "neighbouring rows", table_model(student, tables), prompt, 1, V)
    alone = filtered(tables)(prompt)
    known = {RIGHT: torch.outer(alone, alone).flatten(), "neighbours that are always equal": alone.diag().flatten()}
    rule = "Each row of a batch must be drawn for itself: what one row gets says nothing about its neighbour."
    expect_distribution(expect, "neighbouring rows", new.reshape(-1, 2), V, known, rule=rule)


def expect_independent_steps(student, draw, expect, V):
    """With logits that do not depend on the context, one step says nothing about the next."""
    logits = torch.linspace(-1, 1, V, dtype=torch.float64)[draw.permutation(V)]
    tables = torch.zeros(9, V, V, dtype=torch.float64)
    tables[0] = logits
    new = draws(student, draw, expect, "successive steps", table_model(student, tables), [2, 0], 2, V)
    alone = logits.softmax(-1)
    known = {RIGHT: torch.outer(alone, alone).flatten(), "two steps that draw the same id": alone.diag().flatten()}
    rule = "Each step must draw anew: if the logits stay the same, one id says nothing about the next."
    expect_distribution(expect, "successive steps", new, V, known, rule=rule)


# one filter at a time


def test_filtered_sampling(student, draw, expect):
    """Each option alone gives its exact distribution; the penalty looks at the prompt and at the new ids."""
    V, n = 6, 2
    tables = random_tables(draw, 7, V, scale=1.5)
    model = table_model(student, tables)
    prompt = draw.randint(0, V, (3,)).tolist()
    for k in (2, 4):
        new = draws(student, draw, expect, f"top_k = {k}", model, prompt, n, V, top_k=k)
        candidates = {
            RIGHT: filtered(tables, top_k=k),
            "all tokens, as without top_k": filtered(tables),
            f"k = {k + 1}": filtered(tables, top_k=k + 1),
            f"k = {k - 1}": filtered(tables, top_k=k - 1),
        }
        rule = "The ids must follow the softmax over the k largest logits."
        expect_distribution(expect, f"top_k = {k}", new, V, joints(candidates, prompt, n), rule=rule)
    for p in (0.5, 0.8):
        new = draws(student, draw, expect, f"top_p = {p}", model, prompt, n, V, top_p=p)
        candidates = {
            RIGHT: filtered(tables, top_p=p),
            "all tokens, as without top_p": filtered(tables),
            "1 - p in place of p": filtered(tables, top_p=1 - p),
        }
        rule = "The ids must follow the softmax over the tokens that top_p keeps."
        expect_distribution(expect, f"top_p = {p}", new, V, joints(candidates, prompt, n), rule=rule)
    expect_zeros_count(student, draw, expect, model, tables)
    first, second, third, fourth = draw.permutation(V)[:4].tolist()
    expect_penalty(student, draw, expect, "repetition_penalty", 7, [first, second, third, fourth, third])


def expect_zeros_count(student, draw, expect, model, tables):
    """An option of 0 is an option, though 0 is false."""
    V = tables.shape[-1]
    prompts = draw.randint(0, V, (2, 3))
    for name in ("top_p", "temperature"):
        what = f"{name} = 0.0"
        ids = student.sample.generate.generate(model, prompts, 4, **{name: 0.0})
        need_ids(expect, what, ids, prompts, 4, V)
        rule = f"With {name}=0 each id must be the most probable one; 0 does not leave a filter out."
        expect.equal(f"{what}: the result", ids, trajectories(tables, prompts, 4), rule=rule)


def expect_penalty(student, draw, expect, what, block_size, prompt):
    """The penalty falls on every token of the row so far, and only once on one that occurs twice."""
    V, penalty, n = 6, 2.5, 2

    def known(tables):
        return joints(penalty_candidates(tables, penalty, len(prompt)), prompt, n)

    def least_difference(tables):
        right, *others = known(tables).values()
        return min((other - right).abs().sum().item() for other in others)

    # With some tables a forgotten token would hardly be drawn anyway: take those that tell most.
    tables = max((random_tables(draw, block_size, V, scale=1.5) for _ in range(10)), key=least_difference)
    model = table_model(student, tables)
    new = draws(student, draw, expect, what, model, prompt, n, V, repetition_penalty=penalty)
    rule = "The penalty must fall on every token of the row so far, the prompt included, once each."
    expect_distribution(expect, what, new, V, known(tables), rule=rule)


def penalty_candidates(tables, penalty, T):
    """The right distribution after a prompt of T ids first, then what common mistakes give."""
    block_size = len(tables)
    candidates = {RIGHT: filtered(tables, penalty=penalty)}
    if block_size < T:  # else the context is the whole row
        context = with_penalty(tables, penalty, lambda ids: ids[-block_size:])
        candidates["a penalty on the tokens of the context only"] = context
    return candidates | {
        "no penalty at all": filtered(tables),
        "a rule that divides negative logits, too": with_rule(tables, lambda logits: logits / penalty),
        "a rule that multiplies positive logits, too": with_rule(tables, lambda logits: logits * penalty),
        "a penalty on the prompt only": with_penalty(tables, penalty, lambda ids: ids[:T]),
        "a penalty on the new tokens only": with_penalty(tables, penalty, lambda ids: ids[T:]),
        "a penalty on the last token only": with_penalty(tables, penalty, lambda ids: ids[-1:]),
        "a penalty for every occurrence": repeatedly_penalised(tables, penalty),
        "a penalty that makes seen tokens more likely": filtered(tables, penalty=1 / penalty),
    }


# all filters together


def test_order(student, draw, expect):
    """With all options the distribution is that of penalty, temperature, top-k, top-p; the penalty forgets nothing."""
    V, T = 7, 3
    prompt = draw.permutation(V)[:T].tolist()
    seen = seen_in(torch.tensor(prompt), V)
    many = draw.randn(600, V) * 1.5
    for options in [
        {"temperature": 1.8, "top_k": 4, "top_p": 0.7, "penalty": 2.0},
        {"temperature": 0.7, "top_k": 4, "top_p": 0.85, "penalty": 2.0},
        {"temperature": 2.0, "top_p": 0.75, "penalty": 1.5},
        {"temperature": 1.0, "top_k": 5, "top_p": 0.75},
    ]:
        logits = many[most_telling(list(filter_candidates(many, seen, options).values()))]
        tables = torch.zeros(5, V, V, dtype=torch.float64)
        tables[T - 1, prompt[-1]] = logits
        given = {name.replace("penalty", "repetition_penalty"): value for name, value in options.items()}
        what = ", ".join(f"{name} {value}" for name, value in given.items())
        new = draws(student, draw, expect, what, table_model(student, tables), prompt, 1, V, **given)
        rule = "The filters must act in this order: penalty, temperature, top-k, top-p."
        expect_distribution(expect, what, new, V, filter_candidates(logits, seen, options), rule=rule)
    first, second, third, fourth = draw.permutation(6)[:4].tolist()
    prompt = [first, first, second, third, fourth, third]  # the first ones are no longer in the context
    expect_penalty(student, draw, expect, "repetition_penalty past block_size", 3, prompt)


def filter_candidates(logits, seen, options):
    """The right probabilities first, then those of other orders and of one filter left out."""
    known = {RIGHT: pipeline(logits, seen, **options)}
    for order in itertools.permutations(ORDER):
        known[f"the order {', '.join(order)}"] = pipeline(logits, seen, **options, order=order)
    for name in options:
        rest = {other: value for other, value in options.items() if other != name}
        known[f"{name} left out, and the other filters"] = pipeline(logits, seen, **rest)
    return known


def most_telling(known):
    """The row of logits for which the candidates differ most from the first one, and then from each other."""
    stacked = torch.stack(known)  # (candidates, rows, V)
    distances = (stacked[:, None] - stacked[None]).abs().sum(dim=-1) / 2  # (candidates, candidates, rows)
    can_differ = distances.amax(dim=-1) > SAME
    from_right = distances[0][can_differ[0]].clamp(max=FAR_ENOUGH).amin(dim=0)
    apart = (distances[can_differ] > TOLD_APART).double().mean(dim=0)
    return int((from_right * RIGHT_COUNTS + apart).argmax())
