"""Whether a model looks its tokens up: the sign of life that items about form and size ask for.

Whatever else is wrong with a model, a token can only act through its row of an embedding. So two tokens with equal rows
must be the same to it, and two with different rows must not. A formula without weights fails the one, zeros and
constants fail the other, random numbers fail both.
"""

import torch

from autograder.grading.student import StudentError
from milestones.hidden.influence import THRESHOLD
from milestones.hidden.life import nudged

from .models import is_float_tensor, logits_of

LOOKED_UP = "The logits must be computed from the tokens and the weights: each token acts through its row of wte."
ACCEPTED = "Tokens of the vocabulary, no more than block_size of them, must be accepted."
FIRST, SECOND, LENGTH = 0, 1, 4  # two tokens, and how many stand in a row


def expect_looked_up(student, expect, model, vocab_size):
    """In the model, which is left in eval mode with other weights, two tokens differ until their rows are equal."""
    one = (torch.arange(2 * LENGTH) % vocab_size).view(2, LENGTH)  # begins with FIRST, SECOND
    other = one.clone()
    other[0, 0] = SECOND
    model.eval()
    weights = [nudged(nudged(parameter, 0), 1) for parameter in student.get_parameters(model)]  # zeros say nothing
    student.set_parameters(model, weights)
    first, again, second = (logits_of(model(idx)) for idx in (one, one, other))
    expect.true(
        "the same tokens have the same logits twice",
        moved(first, again) is False,
        rule=LOOKED_UP,
        saw="Called twice with the same tokens in eval mode, the model gives different logits.",
        record=False,
    )
    expect.true(
        "another token has other logits",
        moved(first, second) is True,
        rule=LOOKED_UP,
        saw="With another token in the place of the first one, the logits are the same.",
        record=False,
    )
    student.set_parameters(model, [with_equal_rows(parameter, vocab_size) for parameter in weights])
    first, second = (logits_of(model(idx)) for idx in (one, other))
    expect.true(
        "two tokens with equal rows are the same to the model",
        moved(first, second) is False,
        rule=LOOKED_UP,
        saw="Two tokens whose weights are equal have different logits: not the weights tell the model which is which.",
        record=False,
    )


def expect_looked_up_if_it_runs(student, expect, model, vocab_size):
    """The same for an item about what is built. A forward that crashes is other items' matter; one that refuses is not.

    Refusing is raising ValueError.
    """
    try:
        expect_looked_up(student, expect, model, vocab_size)
    except StudentError as error:
        saw = f"model(idx) raised {error}."
        expect.true("the model takes tokens", "ValueError" not in error.bases, rule=ACCEPTED, saw=saw)


def moved(before, after):
    """Whether two float tensors of one shape differ; None if they are not."""
    if not (isinstance(before, torch.Tensor) and is_float_tensor(after, before.shape)):
        return None
    return not bool(((before.double() - after.double()).abs() <= THRESHOLD).all())


def with_equal_rows(parameter, vocab_size):
    """The parameter with what it holds for SECOND as for FIRST: in its rows, and along sides as long as the vocabulary.

    In the rows of all matrices, since a model that takes tokens for positions looks them up in wpe.
    """
    equal = parameter.clone()
    for axis, side in enumerate(parameter.shape):
        if side == vocab_size or (axis == 0 and parameter.ndim > 1):
            equal.select(axis, SECOND).copy_(equal.select(axis, FIRST))
    return equal
