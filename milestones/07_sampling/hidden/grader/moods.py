"""In which mood a model answered: training or eval mode, gradients on or off.

A table model with four tables uses another one in each mood, so that the ids, or the logits of a plain call, tell it.
"""

import torch

from .returned import need_tensor
from .tables import random_tables, table_logits

# In the order of the tables: training mode counts 1, gradients count 2.
MOODS = (
    "eval mode with gradients off",
    "training mode with gradients off",
    "eval mode with gradients on",
    "training mode with gradients on",
)
RIGHT = MOODS[0]
GRADIENTS_ON = MOODS[2:]


def moody_tables(draw, block_size, vocab_size):
    """(4, block_size, V, V), in the order of MOODS."""
    return torch.stack([random_tables(draw, block_size, vocab_size) for _ in MOODS])


def expect_calm(expect, what, ids, by_mood):
    """`ids` are the first of `by_mood`, which holds for each mood the ids that a model in it gives."""
    mood = expect.which_fits(ids, dict(zip(MOODS, by_mood, strict=True)))
    story = "They fit the model in none of its modes." if mood is None else f"They are those of a model in {mood}."
    expect.true(
        f"{what}: the ids are those of {RIGHT}",
        mood == RIGHT,
        rule="While ids are chosen the model must be in eval mode, and gradients must be off.",
        saw=f"{what}: the ids are not those of {RIGHT}. {story}",
        evidence=mood,
    )


def expect_modes_kept(student, expect, what, model, training):
    """Every part of the model is in the mode in which it was before."""
    modes = student.modes(model)
    changed = sum(mode is not training for mode in modes)
    before = "training" if training else "eval"
    expect.true(
        f"{what}: afterwards every part is in {before} mode again",
        changed == 0,
        rule="Afterwards every part of the model must be in the mode that it was in before.",
        saw=f"{what}: the model was in {before} mode before; {changed} of its {len(modes)} parts no longer are.",
        evidence=modes,
    )


def expect_gradients_on(expect, what, model, tables, context, training):
    """A plain call of the model, in the mode `training`, now has gradients on, as the caller left them."""
    result = model(torch.tensor([context]))
    logits = result[0] if isinstance(result, list) else result
    shape = 1, len(context), tables.shape[-1]
    rule = "The model must answer as before."
    need_tensor(expect, f"{what}: the model's logits afterwards", logits, shape=shape, dtype=tables.dtype, rule=rule)
    by_mood = {name: table_logits(tables[number], context) for number, name in enumerate(MOODS)}
    usual = GRADIENTS_ON[training]  # tried first: what does not fit costs time
    mood = expect.which_fits(logits[0, -1], {usual: by_mood.pop(usual), **by_mood})
    expect.true(
        f"{what}: afterwards gradients are on again",
        mood in GRADIENTS_ON,
        rule="Gradients must be on again afterwards: turn them off for a block, not for good.",
        saw=f"{what}: a plain call of the model afterwards answers as in {mood or 'no mode that it has'}.",
        evidence=mood,
    )
