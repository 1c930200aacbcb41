"""Judges positions: which row of wpe each token uses, and that more than block_size tokens are refused."""

import torch

from autograder.grading.expect import is_close
from milestones.hidden.influence import THRESHOLD, caller

from .lookup import expect_looked_up
from .models import (
    BLOCK_SIZE,
    EFFECT,
    SIZES,
    B,
    C,
    V,
    is_float_tensor,
    loaded_gpt,
    logits_of,
    need_logits,
    need_pair,
    new_gpt,
)

FULL = B, BLOCK_SIZE, V  # the shape of the logits of block_size tokens
REFUSED = "More than block_size tokens must raise ValueError: what to drop is the caller's decision."
ROOMY = {"block_size": 300, "vocab_size": 5, "n_layer": 1, "n_head": 2, "n_embd": 6}


def test_positions(student, draw, expect):
    """Position t, counted from 0, adds row t of wpe; so order matters, and all block_size positions can be used."""
    idx = draw.randint(0, V, (B, BLOCK_SIZE))
    idx[:, 1] = (idx[:, 0] + 1) % V
    shifts = draw.randn(BLOCK_SIZE, C)
    model, weights = loaded_gpt(student, draw)
    one_layer, _ = loaded_gpt(student, draw, SIZES | {"n_layer": 1})
    answer = model(idx)
    need_pair(expect, "model(idx)", answer)
    need_logits(expect, "logits", logits_of(answer), FULL)
    expect_order_matters(student, expect, one_layer, idx)
    matrix = rows_that_move(student, model, idx, weights, shifts)
    expect.true(
        "row p of wpe moves the logits from position p on, and no others",
        bool((matrix == torch.ones_like(matrix).tril()).all()),
        rule="The token at position t, counted from 0, must use row t of wpe.",
        saw=first_fault(matrix),
        evidence=matrix,
    )
    model.load_weights(weights)
    expect_independent_rows(student, expect, model, idx)


def expect_order_matters(student, expect, model, idx):
    """A model of one layer notices a swap of the first two tokens. Deeper ones can tell some by the mask alone."""
    swapped = idx.clone()
    swapped[:, :2] = idx[:, :2].flip(1)
    first, second = caller(student, model, pick=0)([idx, swapped])
    need_logits(expect, "logits of one layer", first, FULL)
    need_logits(expect, "logits of one layer after a swap", second, FULL)
    expect.true(
        "swapping the first two tokens changes the last logits",
        (first[:, -1] - second[:, -1]).abs().max() > EFFECT,
        rule="A model must see the order of earlier tokens.",
        saw="With the first two tokens swapped, a model of one layer gives the same last logits.",
    )


def rows_that_move(student, model, idx, weights, shifts):
    """Bool (block_size, block_size): entry [t, p] says whether the logits at t move if row p of wpe is shifted."""
    call = caller(student, model, pick=0)
    (before,) = call([idx])
    columns = []
    for position in range(BLOCK_SIZE):
        shifted = weights["wpe.weight"].clone()
        shifted[position] += shifts[position]
        model.load_weights(weights | {"wpe.weight": shifted})
        (after,) = call([idx])
        columns.append(moved_positions(before, after))
    return torch.stack(columns, dim=1)


def moved_positions(before, after):
    """Bool (block_size,): at which positions two logits differ; everywhere, if they are not two such logits."""
    if not (is_float_tensor(before, FULL) and is_float_tensor(after, FULL)):
        return torch.ones(BLOCK_SIZE, dtype=torch.bool)
    near = (before - after).abs() <= THRESHOLD  # NaN is not near
    return ~near.all(dim=-1).all(dim=0)


def first_fault(matrix):
    """The first place where the matrix is not the lower triangle, in words; '' if there is none."""
    faults = (matrix != torch.ones_like(matrix).tril()).nonzero().tolist()
    if not faults:
        return ""
    t, p = faults[0]
    verb = "moves" if matrix[t, p] else "does not move"
    return f"A change of row {p} of wpe {verb} the logits at position {t}."


def expect_independent_rows(student, expect, model, idx):
    """With the rows of the batch swapped, the rows of the logits are swapped."""
    order = torch.arange(B).flip(0)
    logits, mirrored = caller(student, model, pick=0)([idx, idx[order].contiguous()])
    need_logits(expect, "logits before the rows are swapped", logits, FULL)
    expect.close(
        "logits of the swapped rows",
        mirrored,
        logits[order],
        rule="Positions must count along time and not along the batch: rows that swap places keep their logits.",
        record=False,
    )


def test_too_long(student, draw, expect):
    """More than block_size tokens raise ValueError, with targets and without; block_size tokens do not."""
    idx, targets = draw.randint(0, V, (B, BLOCK_SIZE + 1)), draw.randint(0, V, (B, BLOCK_SIZE + 1))
    many = draw.randint(0, ROOMY["vocab_size"], (1, ROOMY["block_size"] + 1))
    model = new_gpt(student, SIZES)
    model.eval()
    fits = logits_of(model(idx[:, :-1].contiguous()))
    rule = "block_size tokens must be accepted."
    expect.tensor("logits of block_size tokens", fits, shape=FULL, rule=rule)
    expect.note("what is kept of a longer input", kept_windows(student, model, idx))
    expect.raises("block_size + 1 tokens", ValueError, model, idx, rule=REFUSED)
    expect.raises("block_size + 1 tokens with targets", ValueError, model, idx, targets, rule=REFUSED)
    roomy = new_gpt(student, ROOMY)
    roomy.eval()
    fits = logits_of(roomy(many[:, :-1].contiguous()))
    expect.tensor("logits of 300 tokens, block_size=300,", fits, shape=(1, 300, ROOMY["vocab_size"]), rule=rule)
    expect.raises("301 tokens, block_size=300", ValueError, roomy, many, rule=REFUSED)
    expect_looked_up(student, expect, model, V)


def kept_windows(student, model, idx):
    """If a model crops what is too long: which of the two windows of block_size tokens its logits are those of."""
    windows = {"end": idx[:, 1:].contiguous(), "start": idx[:, :-1].contiguous()}
    too_long, *answers = student.batch(model, [(idx,), *((window,) for window in windows.values())])
    return [
        name
        for name, answer in zip(windows, answers, strict=True)
        if is_close(logits_of(too_long), logits_of(answer), tol="zero")
    ]
