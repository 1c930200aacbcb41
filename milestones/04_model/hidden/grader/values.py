"""Judges exact values under given weights: the logits of two models, and the loss with and without ignored targets."""

from milestones.hidden.loading import load_with_biases, prepared, without_biases
from milestones.hidden.weights import gpt, gpt_loss

from .models import (
    N_HEAD,
    OTHER,
    OTHER_B,
    OTHER_T,
    SIZES,
    B,
    T,
    V,
    draw_targets,
    draw_weights,
    loaded_gpt,
    logits_of,
    loss_of,
    need_logits,
    need_pair,
    new_gpt,
)

FORMULA = "Logits must be ln_f(x) @ wte.T, where x = wte[idx] + wpe[position] went through every block in order."
MEAN = "The loss must be the mean of -log softmax(logits)[target], in nats, over all targets that are not -1."


def test_exact_logits(student, draw, expect):
    """Under given weights the logits are exact, for two configurations that live in one process."""
    idx, other_idx = draw.randint(0, V, (B, T)), draw.randint(0, OTHER["vocab_size"], (OTHER_B, OTHER_T))
    weights, other_weights = draw_weights(draw, SIZES), draw_weights(draw, OTHER, bias=True)
    model, other = new_gpt(student, SIZES), new_gpt(student, OTHER)
    prepared(student, model, weights)
    prepared(student, other, without_biases(other_weights))
    taken = load_with_biases(other, other_weights)
    expected = gpt(idx, weights, N_HEAD)
    expect.close("logits", logits_of(model(idx)), expected, rule=FORMULA)
    expect.close(
        "logits of another model",
        logits_of(other(other_idx)),
        gpt(other_idx, taken, OTHER["n_head"]),
        rule=FORMULA,
    )
    expect.close(
        "logits of the first model, asked again,",
        logits_of(model(idx)),
        expected,
        rule="Two models in one process must share nothing.",
    )


def test_loss_values(student, draw, expect):
    """The loss is the mean cross-entropy in nats over the targets that are not -1."""
    idx, targets = draw.randint(0, V, (B, T)), draw_targets(draw)
    holes, row = targets.clone(), targets.clone()
    holes[0, 1:4], holes[1, 0] = -1, -1
    row[0] = -1
    model, weights = loaded_gpt(student, draw)
    logits = gpt(idx, weights, N_HEAD)
    cases = {"every target": targets, "four targets of -1": holes, "a whole row of -1": row}
    for setting, wanted in cases.items():
        result = model(idx, wanted)
        need_pair(expect, f"model(idx, targets) with {setting}", result)
        expect.close(f"the loss with {setting}", loss_of(result), gpt_loss(logits, wanted), rule=MEAN)
        expect.close(
            f"logits beside the loss with {setting}",
            logits_of(result),
            logits,
            rule="Targets must not change the logits.",
            record=False,
        )
    expect_same_loss_in_training(expect, model, idx, targets)


def expect_same_loss_in_training(expect, model, idx, targets):
    """In train mode, too, the loss is the mean cross-entropy of the logits beside it."""
    model.train()
    result = model(idx, targets)
    logits = logits_of(result)
    need_logits(expect, "logits in train mode", logits, (B, T, V))
    expect.close(
        "the loss in train mode",
        loss_of(result),
        gpt_loss(logits, targets),
        rule="In train mode, too, the loss must be the mean cross-entropy of the logits that forward returns with it.",
        record=False,
    )
