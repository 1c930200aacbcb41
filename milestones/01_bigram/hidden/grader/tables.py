"""The submission's model seen as a table of logits (V, V), however it keeps its parameters."""

import torch


def new_model(student, size):
    model = student.model.bigram.BigramLanguageModel(size)
    model.eval()
    return model


def randomised(student, draw, size, scale):
    """A model with random parameters, and its logits by token: float64 (V, V)."""
    model = new_model(student, size)
    generator = torch.Generator().manual_seed(draw.seed())  # how many numbers a model takes must not move `draw`
    old = student.get_parameters(model)
    student.set_parameters(model, [scale * torch.randn(p.shape, generator=generator) for p in old])
    return model, table_of(model, size)


def table_of(model, size):
    """The logits that each token gets when it stands alone: float64 (V, V)."""
    logits = model(torch.arange(size)[:, None])[0]
    return logits.double().reshape(size, -1)
