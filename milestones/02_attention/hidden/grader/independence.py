"""Judges what the functions and modules of model/attention.py must leave alone: other rows of a batch, their inputs."""

import torch

from milestones.hidden import influence, weights

from .modules import build_head, build_multi_head


def test_independence(student, draw, expect):
    """A row of the batch does not move with another row, in either mode, and no call writes into its inputs."""
    B, T, S, C, D, H, block_size = 3, 5, 6, 12, 4, 2, 7
    x, noise = draw.randn(B, T, C), draw.randn(B, T, C)
    for name, module in [
        ("Head", build_head(student, weights.head_weights(draw, C, D), block_size)),
        ("MultiHeadAttention", build_multi_head(student, weights.multi_head_weights(draw, C), H, block_size)),
    ]:
        expect_rows_apart(student, expect, name, module, x, noise)
        expect_left_alone(student, expect, name, module, {"x": x})
    given = {
        "q": draw.randn(B, T, D),
        "k": draw.randn(B, S, D),
        "v": draw.randn(B, S, C),
        "mask": weights.causal_mask(S)[-T:],
    }
    expect_left_alone(student, expect, "attention", student.model.attention.attention, given)
    expect_left_alone(student, expect, "causal_average", student.model.attention.causal_average, {"x": x})


def expect_rows_apart(student, expect, name, module, x, noise):
    """Row 1 of the output is the same with other rows around row 1 of x, and with none."""
    among_others = noise.clone()
    among_others[1] = x[1]
    for mode, switch in (("eval", module.eval), ("training", module.train)):
        switch()
        outputs = influence.caller(student, module)([x, among_others, x[1:2]])
        expect.need(
            f"{name} in {mode} mode returns tensors (B, T, …)",
            all(isinstance(out, torch.Tensor) and out.ndim == 3 for out in outputs),
            rule="forward must return one tensor of three dimensions.",
        )
        here, there, alone = outputs
        rule = "The output of a row must not depend on the other rows of the batch."
        what = f"a row of the output of {name} in {mode} mode"
        expect.close(f"{what}, computed among other rows,", there[1], here[1], rule=rule, record=False)
        expect.close(f"{what}, computed on its own,", alone[0], here[1], rule=rule, record=False)


def expect_left_alone(student, expect, name, function, inputs):
    """Calling leaves every input as it was."""
    kept = {label: student.put(value) for label, value in inputs.items()}
    student.keep(function, *kept.values())
    for label, value in inputs.items():
        rule = f"{name} must leave its inputs as they were."
        expect.equal(f"{label} after {name}", student.value(kept[label]), value, rule=rule)
