"""Table models, and what must follow under them.

A table model's logits after a context are a sum with one term for each token at its position (table_model.py). A grader
recomputes that sum. A `sharp` model leaves no choice: one continuation is as
good as certain, so no check depends on what a seed happens to draw.
"""

import math

import torch

from .table_model import TableModel

SHARP = 40.0  # the largest logit of a model that leaves no choice; the other tokens together get 1e-16
CHAIN_GROWTH = 3.0  # above 2, so that a later token outvotes all earlier ones together


def random_tables(draw, block_size, vocab_size, scale=1.0):
    """Float64 (block_size, V, V); the sum of a full context has a standard deviation of `scale`."""
    return draw.randn(block_size, vocab_size, vocab_size) * scale / math.sqrt(block_size)


def chain_tables(block_size, successor):
    """Tables under which the last token alone decides: after x comes successor[x]."""
    step = torch.eye(len(successor), dtype=torch.float64)[successor]  # (V, V)
    return step * CHAIN_GROWTH ** torch.arange(block_size)[:, None, None]


def table_model(student, tables, *, sharp=None, caching=False):
    """A stub of the table model, which lies behind it (`student.behind`) and counts its calls, columns and caches.

    tables (block_size, V, V), or (4, block_size, V, V) with one for each mood (moods.py).
    """
    model = TableModel(tables if tables.ndim == 4 else tables[None], sharp)
    dtype = str(tables.dtype).removeprefix("torch.")
    return student.instrument("table_model", *tables.shape[-3:-1], dtype, caching, asks=model)


def table_logits(tables, context):
    """Logits (V,) after the context, a list of at most block_size ids."""
    return tables[torch.arange(len(context)), torch.tensor(context)].sum(dim=0)


def trajectory(tables, prompt, n):
    """The prompt, a list of ids, and the n ids that a sharp model must give after it."""
    ids = list(prompt)
    for _ in range(n):
        ids.append(int(table_logits(tables, ids[-len(tables) :]).argmax()))
    return ids


def trajectories(tables, prompts, n):
    """The same for each row of prompts (B, T): (B, T + n)."""
    return torch.tensor([trajectory(tables, row, n) for row in prompts.tolist()])
