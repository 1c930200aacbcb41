"""Judges the form of a model: what forward returns, on which device, GPTConfig, and the shape table."""

import torch

from milestones.hidden import shape_table

from .lookup import expect_looked_up
from .models import BLOCK_SIZE, LOGITS, OTHER, SIZES, B, T, V, logits_of, loss_of, need_pair, new_gpt

DEFAULTS = {"block_size": 256, "vocab_size": 65, "n_layer": 6, "n_head": 6, "n_embd": 384, "dropout": 0.2}


def test_shapes(student, draw, expect):
    """(logits, loss): (B, T, V) with targets or without, None or one number, in the dtype of the weights."""
    idx, targets = draw.randint(0, V, (B, BLOCK_SIZE)), draw.randint(0, V, (B, BLOCK_SIZE))
    model = new_gpt(student, SIZES)
    model.eval()
    for length in (1, T, BLOCK_SIZE):
        expect_answers(student, expect, model, idx[:, :length], targets[:, :length], torch.float32)
    model.double()
    expect_answers(student, expect, model, idx[:, :T], targets[:, :T], torch.float64)
    mixed = student.value(student.instrument("elsewhere", model, B, T))
    expect.true(
        "forward works on another device",
        mixed == "",
        rule="Every tensor that forward makes must be on the device of idx.",
        saw=f"On a GPU this model would fail: {mixed}.",
    )
    living = new_gpt(student, SIZES)  # the other one is on another device now
    expect_looked_up(student, expect, living, V)


def expect_answers(student, expect, model, idx, targets, dtype):
    """What forward returns for idx (B, T), without and with targets; idx stays what it was."""
    idx, targets = idx.contiguous(), targets.contiguous()
    here = student.put(idx)
    setting = f"({str(dtype).removeprefix('torch.')}, T = {idx.shape[1]})"
    logits_shape = *idx.shape, V
    alone = model(here)
    need_pair(expect, f"model(idx) {setting}", alone)
    expect.tensor(f"logits {setting}", logits_of(alone), shape=logits_shape, dtype=dtype, rule=LOGITS)
    expect.equal(
        f"the loss without targets {setting}", loss_of(alone), None, rule="Without targets the loss must be None."
    )
    both = model(here, targets)
    need_pair(expect, f"model(idx, targets) {setting}", both)
    expect.tensor(f"logits with targets {setting}", logits_of(both), shape=logits_shape, dtype=dtype, rule=LOGITS)
    expect.tensor(
        f"the loss {setting}",
        loss_of(both),
        shape=(),
        dtype=dtype,
        rule="The loss must be one number, a tensor of shape () with the dtype of the weights.",
    )
    expect.equal(
        f"idx after forward {setting}",
        student.value(here),
        idx,
        record=False,
        rule="forward must leave the tensor that it was given as it was.",
    )


def test_config(student, draw, expect):
    """GPTConfig has its six fields and defaults, and each model carries its own."""
    config = student.keep(student.model.transformer.GPTConfig)
    for name, default in DEFAULTS.items():
        expect.equal(
            f"GPTConfig().{name}",
            student.value(getattr(config, name)),
            default,
            rule="GPTConfig must keep the fields and defaults of the stub.",
        )
    first, second = new_gpt(student, SIZES), new_gpt(student, OTHER)
    for label, model, sizes in (("first", first, SIZES), ("second", second, OTHER)):
        for name, size in sizes.items():
            expect.equal(
                f"the {label} model's config.{name}",
                student.value(getattr(model.config, name)),
                size,
                rule="Each model must keep the configuration that it was built from as model.config.",
            )


def test_shape_table(student, draw, expect):
    """notes/architecture.md names the shapes of this milestone."""
    rows = {"token_embedding": "(B, T, C)", "position_embedding": "(T, C)", "logits": "(B, T, V)"}
    shape_table.check(expect, student.files.get("notes/architecture.md"), rows=rows)
