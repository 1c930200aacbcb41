"""Judges train/optim.py: which parameters are decayed, and whether the steps are AdamW's."""

import torch

from autograder.grading.student import Ref, StudentError

from .adamw import AdamW
from .tiny_model import equal_bits, flat, weights_of


def fill(student, draw, model):
    """Gives every parameter of the model random float64 values, and returns them."""
    model.double()
    values = [draw.randn(*parameter["shape"]) for parameter in student.parameters(model)]
    student.set_parameters(model, values)
    return values


def read_groups(student, expect, hands, model, decay):
    """(parameters, weight_decay) of each group that the submission makes."""
    groups = student.keep(student.train.optim.parameter_groups, model, decay)
    read = student.attempt(hands.read_groups, groups)
    usable = isinstance(read, list) and all(isinstance(group, list) and len(group) == 2 for group in read)
    expect.need(
        "parameter_groups returns a list of dicts with params",
        usable,
        rule='parameter_groups must return a list of dicts, {"params": [...], "weight_decay": ...}.',
        saw=f"Reading the groups raised {read}." if isinstance(read, StudentError) else "",
    )
    return read


def memberships(values, groups):
    """For each parameter the numbers of the groups that list it; and how many listed tensors are not a parameter."""
    found = [[] for _ in values]
    strangers = 0
    for number, (tensors, _) in enumerate(groups):
        for tensor in tensors:
            places = [
                i for i, value in enumerate(values) if isinstance(tensor, torch.Tensor) and equal_bits(tensor, value)
            ]
            for i in places:
                found[i].append(number)
            strangers += not places
    return found, strangers


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def kind_of(rate, decay):
    """What a group with this weight_decay does to its parameters, in words."""
    if rate == decay:
        return "decayed"
    return "not decayed" if rate == 0 else "decayed by another rate"


def test_parameter_groups(student, draw, expect):
    """Two groups: what has two dimensions or more is decayed, the rest is not, and nothing is left out."""
    model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
    values = fill(student, draw, model)
    decay = draw.integer(11, 30) / 100
    groups = read_groups(student, expect, hands, model, decay)
    expect.equal("the number of groups", len(groups), 2, rule="There must be two groups, the decayed and the others.")
    rates = [rate for _, rate in groups]
    expect.need(
        "each group has a weight_decay, a number",
        all(is_number(rate) for rate in rates),
        rule="Each group must say its weight_decay, 0.0 if there is none: AdamW's own default is 0.01.",
        saw=f"The weight_decays of the groups are {rates}.",
        evidence=[type(rate).__name__ for rate in rates],
    )
    kinds = [kind_of(rate, decay) for rate in rates]
    expect.true(
        "one group has the decay that was asked for, the other 0.0",
        sorted(kinds) == ["decayed", "not decayed"],
        rule="One group must have the weight_decay that parameter_groups is given, and the other 0.0.",
        saw=f"The weight_decays of the groups are {rates}; {decay} was asked for.",
        evidence=sorted(kinds),
    )
    found, strangers = memberships(values, groups)
    rule = "The groups must hold the model's parameters and nothing else."
    expect.equal("the number of tensors that are not a parameter", strangers, 0, rule=rule)
    for i, (value, numbers) in enumerate(zip(values, found, strict=True)):
        expect_kind(expect, f"parameter {i}, of shape {tuple(value.shape)},", value, [kinds[n] for n in set(numbers)])


def expect_kind(expect, what, value, kinds):
    """The parameter is in the group in which it belongs. `kinds`: of the groups that it is in."""
    wanted = "decayed" if value.ndim >= 2 else "not decayed"
    expect.true(
        f"{what} is {wanted}",
        kinds == [wanted],
        rule="Parameters with two dimensions or more must be decayed, all others must not, and none may be left out.",
        saw=f"{what} is {' and '.join(sorted(kinds)) or 'in no group'}, should be {wanted}.",
        evidence=sorted(kinds),
    )


def test_shared_parameter(student, draw, expect):
    """A Parameter that two modules share is in one group, once."""
    model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
    values = fill(student, draw, model)
    groups = read_groups(student, expect, hands, model, 0.5)
    found, _ = memberships(values, groups)
    for i, numbers in enumerate(found):
        expect.true(
            f"parameter {i} is listed once",
            len(numbers) == 1,
            rule="Every parameter must be listed once in all, even if two modules share it.",
            saw=f"A parameter of shape {tuple(values[i].shape)} is listed {len(numbers)} times.",
            evidence=len(numbers),
        )
    optimizer = student.attempt(hands.sgd_of_groups, 0.1)
    expect.need(
        "torch's optimizers take the groups",
        isinstance(optimizer, Ref),
        rule="Any of torch's optimizers must take the groups.",
        saw=f"torch.optim.SGD refused the groups: {optimizer}.",
    )
    gradients = [draw.randn(*value.shape) for value in values]
    hands.give_gradients(model, gradients)
    optimizer.step()
    wanted = [
        value - 0.1 * (one + (0.5 * value if value.ndim >= 2 else 0))
        for value, one in zip(values, gradients, strict=True)
    ]
    expect.close(
        "the weight vector after plain gradient descent over the groups",
        weights_of(student, model),
        flat(wanted),
        rule="A step over the groups must move the model's own parameters, each once, with its group's decay.",
    )


def test_adamw_step(student, draw, expect):
    """Several steps of make_optimizer's AdamW, under given gradients, follow algorithm 2 of Loshchilov and Hutter."""
    cases = {
        "given settings": ({"betas": (0.8, 0.97), "weight_decay": 0.2}, (0.8, 0.97), 0.2),
        "default settings": ({}, (0.9, 0.95), 0.1),
    }
    for case, (options, betas, decay) in cases.items():
        model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
        adam = AdamW(fill(student, draw, model), betas, decay)
        rates = [0.05, 0.05, 0.02]
        optimizer = student.attempt(student.train.optim.make_optimizer, model, learning_rate=rates[0], **options)
        raised = isinstance(optimizer, StudentError)
        expect.need(
            f"{case}: make_optimizer returns an optimizer",
            isinstance(optimizer, Ref),
            rule="make_optimizer must return a torch.optim.Optimizer.",
            saw=f"With {case} make_optimizer {'raised' if raised else 'returned'} {optimizer}.",
        )
        for t, rate in enumerate(rates):
            # Some gradients are so small that eps matters.
            gradients = [draw.randn(*value.shape) * 10 ** (-8 * draw.rand(*value.shape)) for value in adam.weights]
            hands.give_gradients(model, gradients)
            if t > 0:
                hands.set_learning_rate(optimizer, rate)
            optimizer.step()
            adam.step(gradients, rate)
            expect.close(
                f"{case}: the weight vector after step {t + 1}",
                weights_of(student, model),
                flat(adam.weights),
                rule=f"With betas {betas}, weight_decay {decay} and learning rate {rate} the weights must move as AdamW"
                " moves them (algorithm 2 of Loshchilov and Hutter).",
            )
