"""Judges the dropout of Head and MultiHeadAttention.

With a single position the only weight is 1, which makes dropout countable: the output is a linear function of x, and
each value of it is zero with probability p if there is one dropout on the way, and 1 - (1 - p)^2 if there are two. Its
mean over many runs is the output without dropout.
"""

import torch

from milestones.hidden import weights
from milestones.hidden.influence import moved

from .modules import build_head, build_multi_head, is_floating

RATE, RUNS, ROWS = 0.25, 160, 24

# Two dropouts give one of RUNS * ROWS = 3840 samples a standard deviation of 0.88, so their mean one of 0.014: the mean
# may be nine of those away. Without rescaling the mean is 0.75.
MEAN_OFF = 0.13
# The share that is dropped is 0.25 for one dropout on the way, 0.44 for two and 0.58 for three, each up to 0.01. It is
# 0.75 if the rate is taken for the share that stays.
LEAST_DROPPED, MOST_DROPPED = 0.15, 0.67

FOLLOWS_THE_MODE = "Dropout must act in training mode, and make no difference in eval mode or with dropout=0.0."


def test_dropout(student, draw, expect):
    """In training mode outputs differ and their mean is right; in eval mode, and with rate 0, nothing is dropped."""
    T, C, D, H, block_size = 5, 12, 4, 3, 7
    x, single = draw.randn(2, T, C), draw.randn(ROWS, 1, C)

    def head(given, rate):
        return build_head(student, given, block_size, rate)

    def multi_head(given, rate):
        return build_multi_head(student, given, H, block_size, rate)

    given = weights.head_weights(draw, C, D)
    expect_mode(expect, "Head", head, given, x, single)
    expect_behind_softmax(student, expect, "Head", head, given, single)
    given = weights.multi_head_weights(draw, C)
    expect_mode(expect, "MultiHeadAttention", multi_head, given, x, single)
    unmixed = given | {"c_proj.weight": torch.eye(C, dtype=torch.float64)}  # a dropped value stays 0 in the output
    expect_behind_softmax(student, expect, "MultiHeadAttention", multi_head, unmixed, single)


def expect_mode(expect, name, build, given, x, single):
    """Dropout follows the mode. build(weights, rate) makes the module in eval mode.

    What is right is what the module itself says without dropout, so that another mistake does not count as one of
    dropout.
    """
    module = build(given, 0.0)
    without, alone = module(x), module(single)  # one position: what a mask does in training mode is another item's
    tensors = isinstance(without, torch.Tensor) and isinstance(alone, torch.Tensor)
    expect.need(f"{name} returns a tensor", tensors, rule="forward must return one tensor.")
    module.train()
    what = f"the output of {name} in training mode with dropout=0.0"
    expect.close(what, module(single), alone, rule=FOLLOWS_THE_MODE, record=False)

    module = build(given, RATE)
    for number in (1, 2):
        what = f"the output of {name} in eval mode with dropout={RATE}, call {number},"
        expect.close(what, module(x), without, rule=FOLLOWS_THE_MODE, record=False)
    module.train()
    expect.true(
        f"two outputs of {name} in training mode differ",
        moved(module(x), module(x), length=x.shape[1]).any(),
        rule=FOLLOWS_THE_MODE,
        saw=f"{name} with dropout={RATE}, called twice in training mode, gives the same output.",
    )


def expect_behind_softmax(student, expect, name, build, given, single):
    """Dropout acts behind the softmax, at the right rate, and keeps the mean.

    Under `given` nothing is mixed after the heads. single: (B, 1, C).
    """
    module = build(given, RATE)
    plain = module(single)
    module.train()
    outputs = student.repeat(module, RUNS, single)
    shape = tuple(plain.shape) if isinstance(plain, torch.Tensor) else None
    expect.need(
        f"{name} returns tensors of one shape in both modes",
        shape is not None and all(is_floating(out, shape) for out in [plain, *outputs]),
        rule="The shape of the output must not depend on the mode.",
    )
    plain, runs = plain.double(), torch.stack(outputs).double()
    expect.true(
        f"dropout in {name} acts on a single position",
        bool((runs != plain).any()),
        rule="Dropout must act behind the softmax: on the weights, or on the result.",
        saw=f"{name} with dropout={RATE} in training mode: of a single position, whose only weight is 1, the output is "
        f"the one of eval mode in all {RUNS} runs.",
    )
    mean = ((runs.mean(dim=0) * plain).sum() / plain.pow(2).sum()).item()
    expect.true(
        f"dropout in {name} keeps the mean",
        abs(mean - 1) <= MEAN_OFF,
        rule="Dropout must keep the mean of the output: what stays is divided by 1 - dropout.",
        saw=f"With dropout={RATE}, the mean output of {name} in training mode is {mean:.2f} times that of eval mode.",
        strain=abs(mean - 1) / MEAN_OFF,
    )
    dropped = (runs == 0).double().mean().item()
    expect.true(
        f"dropout in {name} follows the rate",
        LEAST_DROPPED <= dropped <= MOST_DROPPED,
        rule="Dropout must set values to zero, each with probability dropout.",
        saw=f"With dropout={RATE}, {dropped:.0%} of the output values of {name} in training mode are zero.",
    )
