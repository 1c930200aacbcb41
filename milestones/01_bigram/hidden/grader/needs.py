"""What an item can't go on without: a pair, or a tensor of the right shape."""

import torch


def need_pair(expect, what, reply, *, rule):
    """The two parts of what a function returned; a tuple arrives as a list."""
    expect.need(f"{what} is a pair", isinstance(reply, list) and len(reply) == 2, rule=rule)
    return reply


def need_tensor(expect, what, actual, *, shape, dtype=None, rule):
    """Like expect.tensor; but if the shape or dtype is wrong, a diagnosis run ends, too."""
    expect.tensor(what, actual, shape=shape, dtype=dtype, rule=rule)
    fits = isinstance(actual, torch.Tensor) and tuple(actual.shape) == tuple(shape) and dtype in (None, actual.dtype)
    expect.need(f"{what} is such a tensor", fits, rule=rule)
    return actual
