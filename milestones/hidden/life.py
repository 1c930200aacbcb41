"""The sign of life of a module: its weights act on its input, and not all of them in one way.

Items about form (a shape, a mask, what an identity leaves alone) say little of a module that does nothing. Whatever
else is wrong with one that works, a change of its weights acts on each input in its own way, and a change of other
weights acts otherwise. Zeros, echoes and constants have no such effect, a sum of all weights has the same one on each
input, and a factor made of all weights has but one.
"""

import torch

from autograder.grading.expect import is_close
from milestones.hidden.influence import caller

AT_WORK = "The output must be computed from the input and the weights together."
NUDGE = 0.3  # the largest change of a weight
EFFECT = 1e-9  # honest effects are above 1e-3
ONE_WAY = 0.999  # the cosine of two effects from which on they count as one; honest ones are under 0.9


def expect_weights_act(student, expect, what, module, x, noise):
    """`module` computes from its input and its weights. x, noise: two inputs of one shape.

    The module must be in eval mode. It has the weights that it had before afterwards.
    """
    call = caller(student, module)
    first, again, other = call([x, x, noise])
    expect.true(
        f"{what} gives the same output twice",
        is_close(first, again),
        rule=AT_WORK,
        saw=f"{what}, called twice with one input in eval mode, gives different outputs.",
        record=False,
    )
    weights = student.get_parameters(module)
    effects = []
    for half in (0, 1):
        student.set_parameters(module, [nudged(tensor, half) for tensor in weights])
        effects.append(interaction(first, other, *call([x, noise])))
    student.set_parameters(module, weights)
    expect.true(
        f"the weights of {what} act on its input",
        all(effect is not None and float(effect.norm()) > EFFECT for effect in effects) and not one_way(*effects),
        rule=AT_WORK,
        saw=f"The output of {what} does not show that its weights act on its input.",
        record=False,
    )


def nudged(tensor, half):
    """The tensor with every other number changed, beginning with the first (half 0) or the second (half 1)."""
    places = torch.arange(tensor.numel())
    change = NUDGE * torch.sin(1.0 + places) * (places % 2 == half)
    return tensor + change.view(tensor.shape).to(tensor.dtype)


def interaction(x_before, noise_before, x_after, noise_after):
    """What a change of weights does to one input and not to the other, as a vector; None if there is no telling."""
    outputs = x_before, noise_before, x_after, noise_after
    if not all(isinstance(out, torch.Tensor) and out.shape == x_before.shape for out in outputs):
        return None
    return ((x_after - x_before).double() - (noise_after - noise_before).double()).flatten()


def one_way(effect, other):
    """Whether two effects are one, but for their size."""
    return abs(float(torch.nn.functional.cosine_similarity(effect, other, dim=0))) > ONE_WAY
