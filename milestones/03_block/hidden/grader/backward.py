"""Gradients: that every parameter receives one, and what the reference formulas give."""

import torch

from autograder.grading.student import StudentError
from milestones.hidden.loading import count


def expect_backward(student, expect, what, module, x, seed):
    """Backward from sum(module(x) * seed) runs, and every parameter of the module receives a gradient."""
    rule = f"backward() must run through {what} and reach all of its parameters."
    try:
        student.backward(module, x, seed=seed)
    except StudentError as error:
        expect.need(f"backward() runs through {what}", False, rule=rule, saw=f"backward() raised {error}.")
    parameters = student.parameters(module)
    without = [parameter["shape"] for parameter in parameters if not parameter["has_grad"]]
    expect.true(
        f"every parameter of {what} has a gradient",
        not without,
        rule=rule,
        saw=f"{len(without)} of {len(parameters)} parameters of {what} have no gradient.",
        evidence=without,
    )


def expect_input_gradient(student, expect, what, module, x, seed, formula):
    """The gradient at the input is that of `formula`, a reference function of x alone."""
    expect.close(
        f"the gradient at the input of {what}",
        student.input_gradient(module, x, seed),
        gradient_of(formula, x, seed),
        rule="The gradient must flow through the whole formula, without detach(), no_grad() or .data in forward.",
    )


def gradient_of(formula, x, seed):
    """d sum(formula(x) * seed) / dx."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad((formula(x) * seed).sum(), x)[0]


def unreached(student, module, x):
    """How many numbers of the module get no gradient; None if backward() raises."""
    try:
        student.backward(module, x)
    except StudentError:
        return None
    return count(parameter for parameter in student.parameters(module) if not parameter["has_grad"])
