"""The models under test, their sizes and weights, and what their answers are taken apart into.

Exact items run in float64 and eval mode under given weights. The sizes of each set are pairwise distinct (batch, time,
head_size and 4C included), so that no dimension can stand in for another.
"""

import torch

from milestones.hidden.loading import prepared
from milestones.hidden.weights import gpt_weights

SIZES = {"block_size": 9, "vocab_size": 13, "n_layer": 4, "n_head": 3, "n_embd": 15}
B, T = 2, 6
OTHER = {"block_size": 11, "vocab_size": 10, "n_layer": 1, "n_head": 2, "n_embd": 14}
OTHER_B, OTHER_T = 3, 5
V, BLOCK_SIZE, N_HEAD, C = (SIZES[name] for name in ("vocab_size", "block_size", "n_head", "n_embd"))

# The smallest difference that counts as an effect of word order or of dropout. The honest ones are above 0.1.
EFFECT = 1e-6

LOGITS = "Logits must be finite, of shape (B, T, V) and of the dtype of the weights."
PAIR = "forward must return a pair: (logits, None) without targets, (logits, loss) with them."


def new_gpt(student, sizes, dropout=0.0):
    config = student.keep(student.model.transformer.GPTConfig, **sizes, dropout=dropout)
    return student.model.transformer.GPT(config)


def draw_weights(draw, sizes, bias=False):
    sizes = {name: size for name, size in sizes.items() if name != "n_head"}
    return gpt_weights(draw, **sizes, bias=bias)


def loaded_gpt(student, draw, sizes=SIZES):
    """A model in float64 and eval mode under random weights, and those weights (biases zero)."""
    weights = draw_weights(draw, sizes)
    return prepared(student, new_gpt(student, sizes), weights), weights


def draw_targets(draw):
    """Targets (B, T) with the first and the last token of the vocabulary among them, whatever the seed."""
    targets = draw.randint(0, V, (B, T))
    targets[0, 0], targets[1, T - 1] = 0, V - 1
    return targets


def is_pair(result):
    return isinstance(result, (list, tuple)) and len(result) == 2


def logits_of(result):
    """The first of a pair. Anything else stands for the logits itself: that it is not a pair is the shapes item's."""
    return result[0] if is_pair(result) else result


def loss_of(result):
    """The second of a pair, or the result itself."""
    return result[1] if is_pair(result) else result


def need_pair(expect, call, result):
    expect.need(f"{call} is a pair", is_pair(result), rule=PAIR, saw=f"{call} is not a pair.")


def is_float_tensor(value, shape):
    return isinstance(value, torch.Tensor) and value.is_floating_point() and tuple(value.shape) == tuple(shape)


def need_logits(expect, what, logits, shape, dtype=torch.float64):
    """Finite logits of that shape and dtype. If they can't be calculated with, the item ends here."""
    expect.tensor(what, logits, shape=shape, dtype=dtype, rule=LOGITS)
    expect.need(f"{what} can be compared", is_float_tensor(logits, shape), rule=LOGITS)
