"""Judges dropout: in train mode only, and at the rate that the config gives."""

from autograder.grading.expect import is_close
from milestones.hidden.loading import prepared
from milestones.hidden.weights import gpt

from .models import EFFECT, N_HEAD, SIZES, B, T, V, draw_weights, logits_of, need_logits, new_gpt


def test_dropout_modes(student, draw, expect):
    """Dropout acts in train mode only, and is off at 0."""
    idx = draw.randint(0, V, (B, T))
    weights = draw_weights(draw, SIZES)
    expected = gpt(idx, weights, N_HEAD)
    model = prepared(student, new_gpt(student, SIZES, dropout=0.5), weights)
    first, second = (logits_of(result) for result in student.repeat(model, 2, idx))
    expect.note("two passes in eval mode agree", is_close(first, second, tol="zero"))
    # What is dropped against the rule is a matter of chance: such values are not recorded.
    expect.close(
        "logits in eval mode with dropout=0.5",
        first,
        expected,
        record=False,
        rule="In eval mode nothing must be dropped.",
    )
    model.train()
    first, second = (logits_of(result) for result in student.repeat(model, 2, idx))
    need_logits(expect, "logits in train mode", first, (B, T, V))
    need_logits(expect, "logits of a second pass in train mode", second, (B, T, V))
    expect.true(
        "two passes in train mode differ",
        (first - second).abs().max() > EFFECT,
        rule="In train mode something must be dropped at the rate of config.dropout.",
        saw="With dropout=0.5, two passes in train mode give the same logits.",
    )
    still = prepared(student, new_gpt(student, SIZES, dropout=0.0), weights)
    still.train()
    expect.close(
        "logits in train mode with dropout=0",
        logits_of(still(idx)),
        expected,
        record=False,
        rule="With dropout=0 nothing must be dropped, in either mode.",
    )
