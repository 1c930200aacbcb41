"""Hidden grader of rung 6: optimizer, schedule, training loop, checkpoints.

Most items use a model of four parameters that is an instrument (tiny_model): it is stated here once more, in float64,
and what a step or a whole run must do to its weights is computed from the batches that it was given. So optimizer,
schedule and loop are judged without the submission's own GPT, and by weights, not by what was logged.
"""

import io
import itertools
import json
import math
import os
import re
import time

import torch
import torch.nn.functional as F

from autograder.grading.student import Ref, StudentError

V, C, T, B = 29, 6, 5, 4
EVAL_FACTOR = 0.25
ADAM_EPS = 1e-8
SIX_SIGMA = 6.0
KEYS = ("step", "train_loss", "val_loss", "lr", "tokens", "seconds", "tokens_per_second")

# A run that has something of everything: warm-up, peak and floor, clipping, decay, micro-batches, an odd last row.
RUN = {
    "steps": 7, "batch_size": B, "block_size": T, "max_lr": 0.05, "min_lr": 0.005, "warmup_steps": 2,
    "betas": (0.85, 0.96), "weight_decay": 0.3, "grad_clip": 0.2, "accumulation_steps": 3, "eval_interval": 3,
    "eval_batches": 6, "seed": 11, "device": "cpu",
}  # fmt: skip


# The tiny model, stated here: [gain, table (V, C), inner weight (C, C), inner bias (C,)]


def draw_weights(draw, loudness=3.0):
    return [
        torch.tensor(loudness, dtype=torch.float64),
        draw.randn(V, C) / 2,
        draw.randn(C, C),
        draw.randn(C) / 2,
    ]


def logits_of(weights, x, training=True):
    gain, table, matrix, bias = weights
    h = torch.tanh(F.linear(F.embedding(x, table), matrix, bias))
    return gain * F.linear(h if training else EVAL_FACTOR * h, table)


def loss_of(weights, x, y, training=True):
    return F.cross_entropy(logits_of(weights, x, training).flatten(0, -2), y.flatten())


def gradient(weights, batches):
    """Mean loss over the batches, and its gradient."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    loss = sum(loss_of(leaves, x, y) for x, y in batches) / len(batches)
    return loss.item(), list(torch.autograd.grad(loss, leaves))


def norm(tensors):
    return math.sqrt(sum(float(tensor.double().pow(2).sum()) for tensor in tensors))


def clipped(gradients, bound):
    factor = min(1.0, bound / norm(gradients)) if bound else 1.0
    return [factor * one for one in gradients]


def descended(weights, gradients, learning_rate):
    return [weight - learning_rate * one for weight, one in zip(weights, gradients, strict=True)]


class AdamW:
    """Loshchilov and Hutter 2019, algorithm 2, with constant schedule multiplier; decay where ndim >= 2."""

    def __init__(self, weights, betas, weight_decay):
        self.weights = [weight.clone() for weight in weights]
        self.first = [torch.zeros_like(weight) for weight in weights]
        self.second = [torch.zeros_like(weight) for weight in weights]
        self.betas, self.weight_decay, self.t = betas, weight_decay, 0

    def step(self, gradients, learning_rate):
        self.t += 1
        one, two = self.betas
        for i, g in enumerate(gradients):
            if self.weights[i].ndim >= 2:
                self.weights[i] = self.weights[i] * (1 - learning_rate * self.weight_decay)
            self.first[i] = one * self.first[i] + (1 - one) * g
            self.second[i] = two * self.second[i] + (1 - two) * g * g
            m, v = self.first[i] / (1 - one**self.t), self.second[i] / (1 - two**self.t)
            self.weights[i] = self.weights[i] - learning_rate * m / (v.sqrt() + ADAM_EPS)


# Helpers


def new_model(student, weights, dtype="float64", **options):
    model = student.instrument("tiny_model", V, C, **options)
    if dtype == "float64":
        model.double()
    student.set_parameters(model, weights)
    return model


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def weights_of(student, model):
    return flat(student.get_parameters(model))


def draw_batches(draw, n):
    return [(draw.randint(0, V, (B, T)), draw.randint(0, V, (B, T))) for _ in range(n)]


def is_float(value):
    return isinstance(value, float)


def near(value, expected, tolerance):
    return is_float(value) and abs(value - expected) <= tolerance * (1 + abs(expected))


def expect_loss(expect, what, value, expected, rule):
    expect.true(f"{what}: a float", is_float(value), evidence=type(value).__name__, rule=f"{what} is no Python float.")
    expect.true(
        what,
        near(value, expected, 1e-6),
        evidence=value if is_float(value) else None,
        rule=f"{rule} It is {value}, should be {expected:.6f}.",
    )


def expect_about(expect, what, actual, expected, rule):
    """Equal to five digits, for steps in which a clipped norm is right with and without a small eps."""
    expect.close(what, actual.float(), expected.float(), rule=rule)


# Optimizer


def fill(student, draw, model):
    """Random values for every parameter of the model, and the shapes."""
    model.double()
    shapes = [tuple(parameter["shape"]) for parameter in student.parameters(model)]
    values = [draw.randn(*shape) for shape in shapes]
    student.set_parameters(model, values)
    return values


def read_groups(student, expect, hands, model, decay):
    """(parameters, weight_decay) of each group that the submission makes, or None."""
    groups = student.keep(student.train.optim.parameter_groups, model, decay)
    try:
        read = hands.read_groups(groups)
    except StudentError:
        read = None
    usable = isinstance(read, list) and all(isinstance(group, list) and len(group) == 2 for group in read)
    rule = 'parameter_groups returns a list of dicts, {"params": [...], "weight_decay": ...}.'
    expect.true("groups are dicts with params", usable, rule=rule)
    return read if usable else None


def places(values, groups):
    """For each parameter the groups it is in; and how many tensors in the groups are no parameter."""
    found = [[] for _ in values]
    strangers = 0
    for number, (tensors, _) in enumerate(groups):
        for tensor in tensors:
            where = [i for i, value in enumerate(values) if isinstance(tensor, torch.Tensor) and same(tensor, value)]
            for i in where:
                found[i].append(number)
            strangers += not where
    return found, strangers


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def test_parameter_groups(student, draw, expect):
    """Two groups: what has two dimensions or more is decayed, the rest is not, and nothing is left out."""
    model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
    values = fill(student, draw, model)
    decay = draw.integer(11, 30) / 100
    groups = read_groups(student, expect, hands, model, decay)
    if groups is None:
        return
    expect.equal("number of groups", len(groups), 2, rule="There are two groups, the decayed and the others.")
    rates = [group[1] for group in groups]
    expect.true(
        "a weight_decay in each group",
        all(is_number(rate) for rate in rates),
        evidence=[type(rate).__name__ for rate in rates],
        rule="A group names no weight_decay. Then AdamW takes its own default, 0.01: say 0.0 where you mean none.",
    )
    expect.true(
        "the decays",
        sorted(rate for rate in rates if is_number(rate)) == [0.0, decay],
        evidence=sorted("given" if rate == decay else str(rate) for rate in rates),
        rule=f"The two weight_decays are {rates}, should be {decay} and 0.0.",
    )
    found, strangers = places(values, groups)
    expect.equal("tensors that are no parameter", strangers, 0, rule="The groups hold something that is no parameter.")
    for i, (value, where) in enumerate(zip(values, found, strict=True)):
        seen = [["other", "decayed", "not decayed"][decay_kind(rates[number], decay)] for number in sorted(set(where))]
        wanted = "decayed" if value.ndim >= 2 else "not decayed"
        expect.true(
            f"parameter {i}",
            seen == [wanted],
            evidence=seen,
            rule=f"A parameter of shape {tuple(value.shape)} is {' and '.join(seen) or 'in no group'}, and should be"
            f" {wanted}.",
        )


def decay_kind(rate, decay):
    return {decay: 1, 0: 2}.get(rate, 0) if is_number(rate) else 0


def test_shared_parameter(student, draw, expect):
    """A Parameter that two modules share is in one group, once."""
    model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
    values = fill(student, draw, model)
    groups = read_groups(student, expect, hands, model, 0.5)
    if groups is None:
        return
    found, _ = places(values, groups)
    for i, where in enumerate(found):
        expect.true(
            f"parameter {i} once",
            len(where) == 1,
            evidence=len(where),
            rule=f"A parameter of shape {tuple(values[i].shape)} is listed {len(where)} times.",
        )
    try:
        optimizer = student.keep(hands.sgd_of_groups, 0.1)
    except StudentError as error:
        expect.true("torch takes the groups", False, rule=f"torch's optimizers refuse these groups: {error}.")
        return
    gradients = [draw.randn(*value.shape) for value in values]
    hands.give_gradients(model, gradients)
    optimizer.step()
    wanted = [
        value - 0.1 * (one + (0.5 * value if value.ndim >= 2 else 0))
        for value, one in zip(values, gradients, strict=True)
    ]
    expect.close(
        "weights after plain gradient descent over the groups",
        weights_of(student, model),
        flat(wanted),
        rule="The groups hold copies instead of the model's own parameters, or decay the wrong ones.",
    )


def test_adamw_step(student, draw, expect):
    """Several steps of make_optimizer's AdamW, under given gradients, follow algorithm 2 of Loshchilov and Hutter."""
    cases = {
        "given settings": ({"betas": (0.8, 0.97), "weight_decay": 0.2}, (0.8, 0.97), 0.2),
        "default settings": ({}, (0.9, 0.95), 0.1),
    }
    for case, (options, betas, decay) in cases.items():
        model, hands = student.instrument("assorted_parameters"), student.instrument("optimizers")
        values = fill(student, draw, model)
        adam = AdamW(values, betas, decay)
        rates = [0.05, 0.05, 0.02]
        try:
            optimizer = student.keep(student.train.optim.make_optimizer, model, learning_rate=rates[0], **options)
        except StudentError as error:
            if error.kind == "missing":
                raise
            expect.true(f"{case}: an optimizer", False, rule=f"make_optimizer raised {error}.")
            return
        for t, rate in enumerate(rates):
            # Some gradients are so small that eps matters.
            gradients = [draw.randn(*value.shape) * 10 ** (-8 * draw.rand(*value.shape)) for value in values]
            hands.give_gradients(model, gradients)
            if t > 0:
                hands.set_learning_rate(optimizer, rate)
            optimizer.step()
            adam.step(gradients, rate)
            expect.close(
                f"{case}: weights after step {t + 1}",
                weights_of(student, model),
                flat(adam.weights),
                rule=f"{case}: step {t + 1} is not AdamW's with these gradients, betas {betas}, weight_decay {decay} and"
                f" learning rate {rate}.",
            )


# Schedule


def schedules(draw):
    """Settings that differ in everything; max_steps - warmup_steps is even, so that there is a midpoint."""
    for low, high in ((1, 2), (4, 9), (10, 20)):
        warmup = draw.integer(low, high)
        peak = draw.integer(10, 99) / 1e4
        yield {
            "max_lr": peak,
            "min_lr": peak * draw.integer(3, 25) / 100,
            "warmup_steps": warmup,
            "max_steps": warmup + 2 * draw.integer(8, 30),
        }


def rate_at(student, step, settings):
    return student.train.schedule.learning_rate(step, **settings)


def ratio(value, settings):
    return value / settings["max_lr"] if is_number(value) else None


def described(settings):
    return ", ".join(f"{name}={value:g}" for name, value in settings.items())


def is_rate(value, expected):
    return is_number(value) and math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-15)


def test_schedule_warmup(student, draw, expect):
    """The warm-up is one of the three published straight lines, and ends at the peak."""
    for number, settings in enumerate(schedules(draw), start=1):
        w, peak = settings["warmup_steps"], settings["max_lr"]
        rates = [rate_at(student, step, settings) for step in range(w + 1)]
        expect.true(
            f"schedule {number}: floats",
            all(is_float(rate) for rate in rates),
            evidence=[type(rate).__name__ for rate in rates],
            rule="learning_rate returns a Python float.",
        )
        lines = [[peak * (step + a) / (w + b) for step in range(w)] for a, b in ((0, 0), (1, 0), (1, 1))]
        expect.true(
            f"schedule {number}: warm-up",
            any(all(map(is_rate, rates, line)) for line in lines),
            evidence=[ratio(rate, settings) for rate in rates],
            rule=f"With {described(settings)} the first rates are {rates[:4]}. A warm-up rises as max_lr * step / w,"
            " (step + 1) / w or (step + 1) / (w + 1).",
        )
        expect.true(
            f"schedule {number}: peak",
            is_rate(rates[w], peak),
            evidence=ratio(rates[w], settings),
            rule=f"With {described(settings)} the rate at step {w} is {rates[w]}, should be max_lr.",
        )


def cosine(step, *, max_lr, min_lr, warmup_steps, max_steps):
    progress = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def test_schedule_cosine(student, draw, expect):
    """From the end of the warm-up to max_steps the rate follows half a cosine, with the midpoint in the middle."""
    for number, settings in enumerate(schedules(draw), start=1):
        w, end = settings["warmup_steps"], settings["max_steps"]
        middle = (w + end) // 2
        rate = rate_at(student, middle, settings)
        half = (settings["max_lr"] + settings["min_lr"]) / 2
        expect.true(
            f"schedule {number}: midpoint",
            is_rate(rate, half),
            evidence=ratio(rate, settings),
            rule=f"With {described(settings)} step {middle} is halfway from the end of the warm-up to max_steps; the"
            f" rate there is {rate}, should be halfway from max_lr to min_lr, {half:g}.",
        )
        steps = sorted({w + (end - w) * part // 8 for part in range(9)})
        rates = [rate_at(student, step, settings) for step in steps]
        wrong = [step for step, one in zip(steps, rates, strict=True) if not is_rate(one, cosine(step, **settings))]
        expect.true(
            f"schedule {number}: cosine",
            not wrong,
            evidence=[ratio(one, settings) for one in rates],
            rule=f"With {described(settings)} the rates at steps {steps} are {rates}; step {(wrong or [0])[0]} is off"
            " the cosine from max_lr to min_lr.",
        )


def test_schedule_ends(student, draw, expect):
    """At and after max_steps the rate is min_lr; without warm-up it starts at max_lr."""
    for number, settings in enumerate(schedules(draw), start=1):
        end = settings["max_steps"]
        steps = [end, end + 1, 2 * end - settings["warmup_steps"], 10 * end]
        rates = [rate_at(student, step, settings) for step in steps]
        expect.true(
            f"schedule {number}: floor",
            all(is_rate(rate, settings["min_lr"]) for rate in rates),
            evidence=[ratio(rate, settings) for rate in rates],
            rule=f"With {described(settings)} the rates at steps {steps} are {rates}, should all be min_lr.",
        )
    for min_lr in (0.0, 2e-4):
        settings = {"max_lr": 1e-3, "min_lr": min_lr, "warmup_steps": 0, "max_steps": 10}
        try:
            rates = [rate_at(student, step, settings) for step in (0, 1, 5, 10)]
        except StudentError as error:
            if error.kind == "missing":
                raise
            expect.true(
                f"no warm-up, floor {min_lr:g}", False, rule=f"With warmup_steps=0 learning_rate raised {error}."
            )
            return
        wanted = [cosine(step, **settings) for step in (0, 1, 5, 10)]
        expect.true(
            f"no warm-up, floor {min_lr:g}",
            all(map(is_rate, rates, wanted)),
            evidence=[ratio(rate, settings) for rate in rates],
            rule=f"With {described(settings)} the rates at steps 0, 1, 5, 10 are {rates}, should be {wanted}.",
        )


# One step


def stepped(student, model, optimizer, batches, **options):
    return student.train.loop.train_step(model, optimizer, batches, **options)


def with_sgd(student, weights, rate=0.3):
    model = new_model(student, weights)
    return model, student.keep(student.instrument("optimizers").sgd_of, model, rate)


def test_step_loss(student, draw, expect):
    """train_step returns the mean loss of the micro-batches, before the update."""
    weights = draw_weights(draw)
    for n in (1, 3):
        model, optimizer = with_sgd(student, weights)
        batches = draw_batches(draw, n)
        value = stepped(student, model, optimizer, batches, grad_clip=None)
        loss, gradients = gradient(weights, batches)
        after, _ = gradient(descended(weights, gradients, 0.3), batches)
        expect.note(f"loss after the update, {n}", round(after, 6))
        rule = f"The loss of {n} micro-batches is their mean, under the weights before the update."
        expect_loss(expect, f"loss of {n} micro-batches", value, loss, rule)


def test_step_accumulation(student, draw, expect):
    """Micro-batches move the weights as one big batch does, and memory holds one of them at a time."""
    weights = draw_weights(draw)
    for n in (1, 3, 4):
        model, optimizer = with_sgd(student, weights)
        batches = draw_batches(draw, n)
        stepped(student, model, optimizer, batches, grad_clip=None)
        _, gradients = gradient(weights, batches)
        expect_about(
            expect,
            f"weights after {n} micro-batches",
            weights_of(student, model),
            flat(descended(weights, gradients, 0.3)),
            rule=f"The update from {n} micro-batches is not that of the mean loss over all of them. A gradient that is"
            f" {n} times too large has not been divided.",
        )
        if same(weights_of(student, model), flat(weights)):
            left = any(one is not None and bool(one.ne(0).any()) for one in student.gradients(model))
            expect.note(f"gradients left behind by a step that moved nothing, {n} micro-batches", left)
        events = student.value(model.events)
        shapes = [list(one["x"].shape) for one in passes_of(student, model) if one["grad"]]
        apart = isinstance(events, list) and all(pair != ["forward", "forward"] for pair in pairs(events))
        expect.true(
            f"{n} micro-batches one after the other",
            apart and shapes == [[B, T]] * n,
            evidence=[events, shapes],
            rule="Each micro-batch has its own forward and backward pass before the next one begins; all at once, they"
            " would need as much memory as the big batch.",
        )


def pairs(items):
    return [list(pair) for pair in itertools.pairwise(items)]


def passes_of(student, model):
    """What the model was given, forward pass by forward pass."""
    return student.value(model.passes)


def test_step_fresh_gradients(student, draw, expect):
    """Gradients from before the step do not count, neither those of the step before nor any others."""
    weights = draw_weights(draw)
    model, optimizer = with_sgd(student, weights)
    planted = [draw.randn(*weight.shape) for weight in weights]
    for what in ("first step", "second step", "step after foreign gradients"):
        batches = draw_batches(draw, 2)
        if what == "step after foreign gradients":
            student.instrument("optimizers").give_gradients(model, planted)
        stepped(student, model, optimizer, batches, grad_clip=None)
        weights = descended(weights, gradient(weights, batches)[1], 0.3)
        expect_about(
            expect,
            f"weights after the {what}",
            weights_of(student, model),
            flat(weights),
            rule=f"The {what} is not the gradient of its own batches alone: older gradients are added to it.",
        )


def test_step_clipping(student, draw, expect):
    """A gradient whose norm over all parameters together is too large is scaled to the bound, before the step."""
    weights = draw_weights(draw, loudness=9.0)
    cases = {
        "to 0.4 of its norm": 0.4,
        "to 0.7 of its norm": 0.7,
        "not, at three times its norm": 3.0,
        "not, with None": None,
    }
    cases |= {"not, with 0": 0.0, "by default to norm 1": "default"}
    for case, factor in cases.items():
        model, optimizer = with_sgd(student, weights)
        batches = draw_batches(draw, 2)
        _, gradients = gradient(weights, batches)
        if factor == "default":
            bound, options = 1.0, {}
        else:
            bound = factor and factor * norm(gradients)
            options = {"grad_clip": bound}
        try:
            stepped(student, model, optimizer, batches, **options)
        except StudentError as error:
            if error.kind == "missing":
                raise
            expect.true(f"clipped {case}", False, rule=f"With grad_clip={bound} train_step raised {error}.")
            continue
        expect_about(
            expect,
            f"weights, clipped {case}",
            weights_of(student, model),
            flat(descended(weights, clipped(gradients, bound), 0.3)),
            rule=f"The gradient of the mean loss has norm {norm(gradients):.3f} over all parameters together;"
            f" grad_clip={bound} should {'scale it' if bound and bound < norm(gradients) else 'leave it alone'}, before"
            " the optimizer's step.",
        )


def test_step_train_mode(student, draw, expect):
    """The step computes in train mode, even if the model came in eval mode, and leaves it there."""
    weights = draw_weights(draw)
    model, optimizer = with_sgd(student, weights)
    model.eval()
    batches = draw_batches(draw, 2)
    value = stepped(student, model, optimizer, batches, grad_clip=None)
    loss, gradients = gradient(weights, batches)
    expect_loss(expect, "loss", value, loss, "A model that came in eval mode was not put in train mode: no dropout.")
    expect_about(
        expect,
        "weights",
        weights_of(student, model),
        flat(descended(weights, gradients, 0.3)),
        rule="The step was computed in eval mode.",
    )
    modes = student.modes(model)
    expect.true("train mode afterwards", all(modes), evidence=modes, rule="After train_step the model is not in train mode.")


def bfloat16_gradient(weights, batches):
    """Mean loss and gradient of float32 weights where the arithmetic is torch's automatic mixture with bfloat16."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = [loss_of(leaves, x, y) for x, y in batches]
    loss = sum(losses) / len(losses)
    return loss.item(), list(torch.autograd.grad(loss, leaves))


def test_step_bfloat16(student, draw, expect):
    """dtype=torch.bfloat16 computes in bfloat16 and keeps weights and loss in float32."""
    weights = [weight.float() for weight in draw_weights(draw)]
    batches = draw_batches(draw, 1)  # of several, autocast may add up the gradients in bfloat16 or in float32
    full, full_gradient = gradient(weights, batches)
    half, half_gradient = bfloat16_gradient(weights, batches)
    spread = norm([a - b for a, b in zip(full_gradient, half_gradient, strict=True)])
    rate = 0.01
    for name in ("bfloat16", "float32"):
        model = new_model(student, weights, dtype="float32")
        optimizer = student.keep(student.instrument("optimizers").sgd_of, model, rate)
        kind = student.instrument("dtype", name)
        value = stepped(student, model, optimizer, batches, grad_clip=None, dtype=kind)
        dtypes = sorted({parameter["dtype"] for parameter in student.parameters(model)})
        expect.equal(f"{name}: dtype of the weights", dtypes, ["float32"], rule="The weights themselves stay float32.")
        if dtypes != ["float32"]:
            continue
        moved = [(a - b) / rate for a, b in zip(weights, student.get_parameters(model), strict=True)]
        wanted = half_gradient if name == "bfloat16" else full_gradient
        distance = norm([a - b for a, b in zip(moved, wanted, strict=True)])
        other = norm(
            [a - b for a, b in zip(moved, full_gradient if name == "bfloat16" else half_gradient, strict=True)]
        )
        expect.true(
            f"{name}: arithmetic",
            distance <= 0.2 * spread,
            evidence="right" if distance <= 0.2 * spread else "the other" if other <= 0.2 * spread else "neither",
            rule=f"With dtype=torch.{name} the update differs from that of {name} arithmetic by {distance:.2g}; float32"
            f" and bfloat16 are {spread:.2g} apart.",
        )
        loss = half if name == "bfloat16" else full
        expect.true(
            f"{name}: loss",
            is_float(value) and abs(value - loss) <= 1e-5 * (1 + loss),
            evidence=type(value).__name__,
            rule=f"With dtype=torch.{name} the loss is {value}, should be {loss:.6f}, in float32.",
        )


# Measuring


class Text:
    """Random ids whose two halves use different tokens often, so that a part does not speak for the whole."""

    def __init__(self, draw, length):
        half = length // 2
        first, second = draw.randint(0, V, (half,)), draw.randint(0, V, (length - half,))
        often = draw.rand(length) < 0.6
        self.ids = torch.where(often, torch.cat([first % 5, 7 + second % 11]), torch.cat([first, second]))
        seen = set()
        for end in range(T, length + 1):  # every window of T ids is there only once
            while tuple(self.ids[end - T : end].tolist()) in seen:
                self.ids[end - 1] = (self.ids[end - 1] + 1) % V
            seen.add(tuple(self.ids[end - T : end].tolist()))

    def starts(self, x):
        """Where the rows of x (B, L) begin in the text; None for a row that is nowhere. The end of a text, which may be
        shorter than T, is looked for from behind."""
        windows = self.ids[:-1].unfold(0, x.shape[-1], 1).tolist()
        last = {tuple(window): start for start, window in enumerate(windows)}
        return [last.get(tuple(row)) for row in x.tolist()]

    def targets(self, x):
        """The ids that follow those of x (B, L)."""
        starts = torch.tensor(self.starts(x))
        return self.ids[starts[:, None] + 1 + torch.arange(x.shape[1])]

    def losses(self, weights, training=False):
        """The loss of each predictable position, (N - 1,): the tiny model looks at one token only."""
        logits = logits_of(weights, self.ids[:-1], training)
        return F.cross_entropy(logits, self.ids[1:], reduction="none")


def usable_pass(one):
    return isinstance(one, dict) and isinstance(one.get("x"), torch.Tensor) and one["x"].ndim == 2


def batches_of(expect, what, passes, text):
    """Each pass's starts in the text, or None where a window is not of it."""
    starts = [text.starts(one["x"]) if usable_pass(one) else [None] for one in passes]
    inside = bool(starts) and all(start is not None for part in starts for start in part)
    expect.true(
        f"{what}: windows of the text",
        inside,
        evidence=inside,
        rule=f"{what}: the model was given something that is no window of the ids, or nothing at all.",
    )
    if not inside:
        return None
    right = all(
        one.get("y") is None or (isinstance(one["y"], torch.Tensor) and torch.equal(one["y"], text.targets(one["x"])))
        for one in passes
    )
    expect.true(f"{what}: targets one later", right, rule=f"{what}: the targets are not the ids one later.")
    return starts


def estimated(student, model, ids, seed, batches=20):
    return student.train.loop.estimate_loss(model, ids, batch_size=B, block_size=T, batches=batches, seed=seed)


def test_estimate_value(student, draw, expect):
    """The estimate is the mean loss in eval mode over batches from all of the ids, the same for the same seed."""
    text, weights = Text(draw, 600), draw_weights(draw)
    losses, noisy = text.losses(weights), text.losses(weights, training=True)
    start = draw.integer(1, 10**6)
    values, covered = [], []
    for number, seed in enumerate((start, start, start + 1), start=1):
        model = new_model(student, weights)
        value = estimated(student, model, text.ids, seed)
        expect.true(f"estimate {number}: a float", is_float(value), rule="estimate_loss returns a Python float.")
        passes = passes_of(student, model)
        starts = batches_of(expect, f"estimate {number}", passes, text)
        if starts is None or not is_float(value):
            return
        modes = sorted({bool(one["training"]) for one in passes})
        expect.equal(f"estimate {number}: train mode", modes, [False], rule="The model is measured in train mode.")
        by_pass = mean_losses(losses, passes, starts)
        like = explain(value, by_pass, mean_losses(noisy, passes, starts))
        expect.true(
            f"estimate {number}: mean over its batches",
            like == "right",
            evidence=like if isinstance(like, str) else round(like / by_pass[0], 6),
            rule=f"estimate_loss is {value:.5f}; the mean loss of the batches that the model got is {by_pass[0]:.5f}.",
        )
        positions = {start + offset for part, one in zip(starts, passes, strict=True) for start in part
                     for offset in range(one["x"].shape[1])}  # fmt: skip
        whole = len(positions) >= 0.95 * len(losses) - T
        windows = sum(map(len, starts))
        expect.true(
            f"estimate {number}: all batches",
            whole or windows == 20 * B,
            evidence=windows,
            rule=f"20 batches of {B} were asked for, and the model saw {windows} windows.",
        )
        different = len(set(map(tuple, starts)))
        expect.true(
            f"estimate {number}: different batches",
            different > len(starts) // 2,
            evidence=different > len(starts) // 2,
            rule=f"The {len(starts)} batches are only {different} different ones: measuring the same windows again says"
            " nothing new. Is the generator seeded anew for each batch?",
        )
        spread = losses.unfold(0, T, 1).mean(-1).std().item() / math.sqrt(windows)
        off = abs(value - losses.mean().item())
        expect.true(
            f"estimate {number}: all of the ids",
            off <= SIX_SIGMA * spread + 0.02,
            evidence=off <= SIX_SIGMA * spread + 0.02,
            rule=f"estimate_loss is {value:.4f}; over all ids the loss is {losses.mean().item():.4f}, and chance"
            f" explains {SIX_SIGMA * spread + 0.02:.4f}. Are the batches from the whole of the ids?",
        )
        values.append(value)
        covered.append((whole, starts))
    expect.true(
        "same seed", values[0] == values[1], rule="Two estimates with one seed differ: equal weights look unequal."
    )
    other = covered[0][0] or covered[0][1] != covered[2][1]
    expect.true("another seed", other, rule="Two different seeds give the same batches: the seed is ignored.")


def mean_losses(losses, passes, starts):
    """(mean of the batches' means, mean over all tokens)."""
    parts = [
        torch.stack([losses[start : start + one["x"].shape[1]] for start in part])
        for one, part in zip(passes, starts, strict=True)
    ]
    return (
        sum(part.mean().item() for part in parts) / len(parts),
        torch.cat([part.flatten() for part in parts]).mean().item(),
    )


def explain(value, right, in_train_mode):
    if any(near(value, one, 1e-5) for one in right):
        return "right"
    return "train mode" if near(value, in_train_mode[0], 1e-5) else value


def test_estimate_leaves_no_trace(student, draw, expect):
    """Measuring changes nothing: mode, global random numbers, gradients, weights and autograd are as before."""
    text, weights = Text(draw, 200), draw_weights(draw)
    randomness = student.instrument("global_random")
    for mode in ("train", "eval"):
        model = new_model(student, weights)
        getattr(model, mode)()
        randomness.seed(5)
        randomness.numbers()  # the run is under way: seeding the generator as it once was seeded would not do
        estimated(student, model, text.ids, seed=3, batches=2)
        after = randomness.numbers()
        randomness.seed(5)
        randomness.numbers()
        undisturbed = same(after, randomness.numbers())
        expect.true(
            f"{mode}: global random numbers",
            undisturbed,
            rule="estimate_loss draws from torch's global generator or seeds it: then measuring changes the run.",
        )
        modes = student.modes(model)
        expect.true(
            f"{mode} mode afterwards",
            all(flag == (mode == "train") for flag in modes),
            evidence=modes,
            rule=f"The model was in {mode} mode before estimate_loss and is not afterwards.",
        )
        graded = sorted({bool(one["grad"]) for one in passes_of(student, model)})
        rule = "estimate_loss runs the model with gradients on: time and memory for nothing."
        expect.equal(f"{mode}: gradients on", graded, [False], rule=rule)
        untouched = all(not parameter["has_grad"] for parameter in student.parameters(model))
        expect.true(f"{mode}: no gradients", untouched, rule="After estimate_loss the parameters have gradients.")
        expect.close(
            f"{mode}: weights", weights_of(student, model), flat(weights), rule="estimate_loss moves the weights."
        )
        model.train()
        model(text.ids[None, :T], text.ids[None, 1 : T + 1])
        on = bool(passes_of(student, model)[-1]["grad"])
        expect.true(f"{mode}: autograd on afterwards", on, rule="After estimate_loss gradients stay switched off.")
    away = student.instrument("tiny_model", V, C)
    away.to("meta")
    try:
        estimated(student, away, text.ids, seed=3, batches=1)
    except StudentError:
        expect.note("a device without data", "raises, as it must somewhere")
    devices = sorted({one["device"] for one in passes_of(student, away)})
    expect.true(
        "device of the batches",
        devices in ([], ["meta"]),
        evidence=devices,
        rule="The model lives on another device than the CPU, and is given a batch that is on the CPU.",
    )


# A whole run


def config_for(student, out_dir, **changes):
    return student.keep(student.train.loop.TrainConfig, **(RUN | {"out_dir": out_dir} | changes))


class Run:
    """A run of the submission's train() on a tiny model, and what it did."""

    def __init__(self, student, draw, out_dir, **changes):
        self.student, self.out_dir, self.options = student, out_dir, RUN | changes
        self.text, self.val_text = Text(draw, 300), Text(draw, 200)
        self.weights = draw_weights(draw)
        self.model = new_model(student, self.weights)
        self.config = config_for(student, out_dir, **changes)

    def train(self):
        return self.student.train.loop.train(self.model, self.text.ids, self.val_text.ids, self.config)

    def updates(self, expect):
        """The windows of each update as (x, y), or None where they are not from the training ids."""
        passes = [one for one in passes_of(self.student, self.model) if one["training"] and one["grad"]]
        if batches_of(expect, "training", passes, self.text) is None:
            return None
        x = torch.cat([one["x"] for one in passes])
        wanted = (self.options["steps"] * self.options["accumulation_steps"] * self.options["batch_size"], T)
        expect.true(
            "size of the batches",
            tuple(x.shape) == wanted,
            evidence=list(x.shape),
            rule=f"{self.options['steps']} updates of {self.options['accumulation_steps']} batches of"
            f" {self.options['batch_size']} windows are {wanted[0]} windows of {T}; the model saw {tuple(x.shape)}.",
        )
        if tuple(x.shape) != wanted:
            return None
        per_update = wanted[0] // self.options["steps"]
        return [(part, self.text.targets(part)) for part in x.split(per_update)]

    def rates(self):
        """The submission's own schedule for each update."""
        settings = {name: self.options[name] for name in ("max_lr", "min_lr", "warmup_steps")}
        settings["max_steps"] = self.options["steps"]
        return [rate_at(self.student, step, settings) for step in range(self.options["steps"] + 1)]


def replay(run, updates, rates, *, kept=None, times=1, **changes):
    """The weights after AdamW on the updates' batches at these rates. `changes` to the run's options, `kept` windows of
    each update and `times` the gradient are for well-known slips."""
    options = run.options | changes
    adam = AdamW(run.weights, options["betas"], options["weight_decay"])
    for (x, y), rate in zip(updates, rates, strict=True):
        _, gradients = gradient(adam.weights, [(x[:kept], y[:kept])])
        adam.step(clipped([times * one for one in gradients], options["grad_clip"]), rate)
    return flat(adam.weights)


def slip_of(run, updates, rates, weights):
    """Which well-known slip moves the weights to where they are; else the weights themselves."""
    used = rates[:-1]
    slips = {
        "rate of the next step": (rates[1:], {}),
        "rate of the step before": ([run.options["max_lr"], *used[:-1]], {}),
        "always max_lr": ([run.options["max_lr"]] * len(used), {}),
        "always min_lr": ([run.options["min_lr"]] * len(used), {}),
        "no clipping": (used, {"grad_clip": None}),
        "clipping at 1": (used, {"grad_clip": 1.0}),
        "no decay": (used, {"weight_decay": 0.0}),
        "decay of 0.1": (used, {"weight_decay": 0.1}),
        "default betas": (used, {"betas": (0.9, 0.95)}),
        "first micro-batch only": (used, {"kept": run.options["batch_size"]}),
        "sum of the micro-batches": (used, {"times": run.options["accumulation_steps"]}),
    }
    for name, (rates_then, changes) in slips.items():
        if is_there(weights, replay(run, updates, rates_then, **changes)):
            return name
    return weights


def is_there(weights, expected):
    return torch.allclose(weights, expected, rtol=1e-5, atol=1e-6)


def test_train_weights(student, draw, expect):
    """A run moves the weights as AdamW, schedule, clipping and accumulation say, on windows of the training ids."""
    run = Run(student, draw, "run_weights")
    run.train()
    updates = run.updates(expect)
    if updates is None:
        return
    starts = {start for x, _ in updates for start in run.text.starts(x)}
    spread_out = len(starts) > 0.5 * sum(len(x) for x, _ in updates) and min(starts) < 100 and max(starts) > 200
    expect.true(
        "batches differ and come from everywhere",
        spread_out,
        evidence=len(starts),
        rule=f"{len(starts)} different windows were trained on, the first at {min(starts)}, the last at {max(starts)} of"
        " 300 ids: batches should be drawn anew each time, from all of train_ids.",
    )
    weights, rates = weights_of(student, run.model), run.rates()
    expect.tensor("weights", weights, shape=(V * C + C * C + C + 1,), dtype=torch.float64)
    if weights.dtype != torch.float64:
        return
    right = is_there(weights, replay(run, updates, rates[:-1]))
    expect.true(
        "weights at the end",
        right,
        evidence="right" if right else slip_of(run, updates, rates, weights),
        rule=f"After {len(updates)} updates the weights are not where AdamW brings them on the batches that the model"
        " was given, with your own learning_rate(step) for step 0, 1, ... and config's betas, weight_decay, grad_clip.",
    )


def as_rows(expect, rows, options):
    """The rows, or None where they can't be used."""
    usable = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    expect.true("rows are dicts", usable, rule="train returns a list of dicts.")
    if not usable:
        return None
    missing = sorted({key for row in rows for key in KEYS if key not in row})
    expect.equal("missing keys", missing, [], rule=f"Rows lack keys; each has {', '.join(KEYS)}.")
    interval, steps = options["eval_interval"], options["steps"]
    wanted = [step for step in range(1, steps + 1) if step % interval == 0 or step == steps]
    seen = [row.get("step") for row in rows]
    expect.equal(
        "steps of the rows",
        seen,
        wanted,
        rule=f"Rows come after every {interval} of {steps} updates, and after the last.",
    )
    return rows if not missing and seen == wanted else None


def test_train_rows(student, draw, expect):
    """Each row tells the truth: losses, rate and tokens are what was done, and metrics.jsonl holds the same rows."""
    run = Run(student, draw, "run_rows")
    older = dict.fromkeys(KEYS, 99)
    student.files.put("run_rows/metrics.jsonl", json.dumps(older).encode() + b"\n")  # left by an older run
    began = time.perf_counter()
    rows = as_rows(expect, run.train(), run.options)
    wall = time.perf_counter() - began
    if rows is None:
        return
    rates = run.rates()
    everything = passes_of(student, run.model)
    passes = [one for one in everything if one["training"] and one["grad"]]
    per_update = len(passes) // run.options["steps"]
    losses = [one.get("loss") for one in passes]
    if not all(is_float(loss) for loss in losses):  # the loss was computed outside the model: from the logits, say
        losses = None
    before = 0
    for row in rows:
        step = row["step"]
        what = f"row {step}"
        numbers = all(is_number(row[key]) and math.isfinite(row[key]) for key in KEYS if key != "tokens_per_second")
        expect.true(f"{what}: finite numbers", numbers, rule=f"{what} holds something else than finite numbers: {row}.")
        if not numbers:
            return
        expect.true(
            f"{what}: lr",
            is_rate(row["lr"], rates[step - 1]),
            evidence=[is_rate(row["lr"], rate) for rate in rates],
            rule=f"lr of {what} is {row['lr']}; update number {step - 1}, the last before it, was made with"
            f" {rates[step - 1]}.",
        )
        tokens = step * run.options["accumulation_steps"] * B * T
        expect.equal(
            f"{what}: tokens",
            int(row["tokens"]),
            tokens,
            rule=f"{step} updates are step * accumulation * batch * block tokens.",
        )
        if losses is not None:
            part = losses[before * per_update : step * per_update]
            mean = sum(part) / len(part)
            expect.true(
                f"{what}: train_loss",
                near(row["train_loss"], mean, 1e-5),
                evidence=train_loss_slip(row["train_loss"], losses, before * per_update, step * per_update, per_update),
                rule=f"train_loss of {what} is {row['train_loss']:.5f}; the mean loss of the updates since the row"
                f" before is {mean:.5f}.",
            )
        before = step
    first = run.updates(expect)
    if first is not None and losses is not None:
        loss, _ = gradient(run.weights, [first[0]])
        expect.true(
            "loss of the first update",
            near(sum(losses[:per_update]) / per_update, loss, 1e-5),
            rule="The first update did not start from the given weights.",
        )
    expect_val_loss(student, expect, run, rows)
    seconds = [row["seconds"] for row in rows]
    least = everything[-1]["time"] - everything[0]["time"] - 0.01
    rising = seconds == sorted(seconds) and seconds[0] > 0
    expect.true(
        "seconds",
        rising and least <= seconds[-1] <= wall + 0.01,
        evidence=rising and seconds[-1] <= wall + 0.01,
        rule=f"seconds of the rows are {seconds}; they count from the beginning of the run, which took {wall:.3f} s.",
    )
    expect_file(student, expect, run, rows)


def train_loss_slip(value, losses, start, end, per_update):
    """Which mean of which losses a wrong train_loss is."""
    slips = {
        "right": losses[start:end],
        "last update": losses[end - per_update : end],
        "last micro-batch": losses[end - 1 : end],
        "since the beginning": losses[:end],
        "one update late": losses[start + per_update : end + per_update],
    }
    for name, part in slips.items():
        if part and near(value, sum(part) / len(part), 1e-5):
            return name
    return "sum" if near(value, sum(losses[start:end]), 1e-5) else "another number"


def expect_val_loss(student, expect, run, rows):
    """The last val_loss is what estimate_loss says of the returned model, and what val_ids say."""
    options = run.options
    now = estimated(student, run.model, run.val_text.ids, options["seed"], options["eval_batches"])
    of_training = estimated(student, run.model, run.text.ids, options["seed"], options["eval_batches"])
    final = [weight.double() for weight in student.get_parameters(run.model)]
    on_val, on_train = run.val_text.losses(final), run.text.losses(final)
    spread = on_val.unfold(0, T, 1).mean(-1).std().item() / math.sqrt(options["eval_batches"] * B)
    value = rows[-1]["val_loss"]
    expect.true(
        "val_loss is estimate_loss",
        near(value, now, 1e-9) if is_float(now) else False,
        evidence=[is_float(one) and near(value, one, 1e-9) for one in (now, of_training)],
        rule=f"val_loss of the last row is {value}, but estimate_loss(model, val_ids, ..., batches=config.eval_batches,"
        f" seed=config.seed) of the trained model is {now}.",
    )
    expect.true(
        "val_loss is of val_ids",
        abs(value - on_val.mean().item()) <= SIX_SIGMA * spread + 0.02,
        evidence=abs(value - on_val.mean().item()) <= SIX_SIGMA * spread + 0.02,
        rule=f"val_loss of the last row is {value:.4f}. The trained model's loss is {on_val.mean().item():.4f} on"
        f" val_ids and {on_train.mean().item():.4f} on train_ids.",
    )


def read_file(student, path):
    """A file of the submission's folder as bytes, or None."""
    if path not in student.files.list():
        return None
    content = student.files.get(path)
    return content if isinstance(content, bytes) else None


def metrics_of(student, out_dir):
    """The rows in metrics.jsonl, or None."""
    content = read_file(student, f"{out_dir}/metrics.jsonl")
    if content is None:
        return None
    try:
        return [json.loads(line) for line in content.decode().splitlines() if line.strip()]
    except ValueError:  # no text, or no JSON
        return None


def expect_file(student, expect, run, rows):
    written = metrics_of(student, run.out_dir)
    rule = f"{run.out_dir}/metrics.jsonl is missing, or a line of it is no JSON."
    expect.true("metrics.jsonl", written is not None, rule=rule)
    if written is not None:
        kept = [[row.get(key) for key in KEYS] if isinstance(row, dict) else None for row in written]
        equal = kept == [[row[key] for key in KEYS] for row in rows]
        expect.true(
            "metrics.jsonl holds the rows",
            equal,
            evidence=[equal, len(written)],
            rule=f"metrics.jsonl has {len(written)} rows and train returned {len(rows)}; they should be the same.",
        )


def trained(student, draw, out_dir, weights, ids, *, disturb, dropout=0.4, dtype="float32", **changes):
    """Weights, rows and passes of a run on given ids, with the global generator somewhere else each time."""
    student.instrument("global_random").seed(disturb)
    model = new_model(student, weights, dtype=dtype, dropout=dropout)
    rows = student.train.loop.train(model, *ids, config_for(student, out_dir, **changes))
    learning = [one["x"] for one in passes_of(student, model) if one["training"] and one["grad"]]
    return weights_of(student, model), rows, learning


def stack(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors]) if tensors else torch.zeros(0)


def test_train_repeats(student, draw, expect):
    """Two runs with one seed are equal to the last bit, whatever was drawn before; another seed gives another run."""
    weights, ids = draw_weights(draw), (Text(draw, 300).ids, Text(draw, 200).ids)
    first, _, batches = trained(student, draw, "repeat_1", weights, ids, disturb=1)
    second, _, batches_again = trained(student, draw, "repeat_2", weights, ids, disturb=2)
    equal_batches = same(stack(batches), stack(batches_again))
    expect.true(
        "same batches",
        equal_batches,
        evidence=equal_batches,
        rule="Two runs with one seed are given different batches: their generator does not follow from config.seed.",
    )
    expect.true(
        "same weights",
        same(first, second),
        evidence=[equal_batches, same(first, second)],
        rule="Two runs with one seed end with different weights. Dropout draws from torch's global generator: seeded?",
    )
    still, _, _ = trained(student, draw, "repeat_3", weights, ids, disturb=1, dropout=0.0)
    other, _, other_batches = trained(
        student, draw, "repeat_4", weights, ids, disturb=1, dropout=0.0, seed=RUN["seed"] + 1
    )
    expect.true(
        "another seed",
        not same(stack(batches), stack(other_batches)) and not same(still, other),
        rule="Another seed gives the same batches: config.seed is ignored.",
    )


def test_train_unseen_by_evaluation(student, draw, expect):
    """A run that measures after every update ends with the weights of one that measures once, bit for bit."""
    weights, ids = draw_weights(draw), (Text(draw, 300).ids, Text(draw, 200).ids)
    often, _, batches = trained(student, draw, "often", weights, ids, disturb=1, eval_interval=1, eval_batches=3)
    once, _, batches_once = trained(student, draw, "once", weights, ids, disturb=1, eval_interval=100, eval_batches=2)
    equal_batches = same(stack(batches), stack(batches_once))
    expect.true(
        "batches",
        equal_batches,
        evidence=equal_batches,
        rule="Measuring more often changes the batches that are trained on: evaluation draws from the run's generator.",
    )
    dry, _, _ = trained(
        student, draw, "dry_often", weights, ids, disturb=1, dropout=0.0, eval_interval=1, eval_batches=3
    )
    dry_once, _, _ = trained(
        student, draw, "dry_once", weights, ids, disturb=1, dropout=0.0, eval_interval=100, eval_batches=2
    )
    expect.true(
        "weights",
        same(often, once),
        evidence=[equal_batches, same(dry, dry_once), same(often, once)],
        rule="Measuring after every update gives other weights than measuring once: evaluation changes the run.",
    )


def test_train_bfloat16(student, draw, expect):
    """config.dtype reaches the arithmetic: the first loss is that of the named type."""
    weights, ids = [weight.float() for weight in draw_weights(draw)], (Text(draw, 300), Text(draw, 200).ids)
    for name in ("bfloat16", "float32"):
        model = new_model(student, weights, dtype="float32")
        changes = {"steps": 2, "warmup_steps": 1, "accumulation_steps": 1, "eval_interval": 1, "dtype": name}
        rows = student.train.loop.train(model, ids[0].ids, ids[1], config_for(student, f"run_{name}", **changes))
        passes = [one for one in passes_of(student, model) if one["training"] and one["grad"]]
        dtypes = sorted({parameter["dtype"] for parameter in student.parameters(model)})
        expect.equal(f"{name}: dtype of the weights", dtypes, ["float32"], rule="The weights themselves stay float32.")
        if batches_of(expect, name, passes, ids[0]) is None or not isinstance(rows, list) or not rows:
            expect.true(f"{name}: a row", False, rule="train returned no row after its first update.")
            return
        batches = [(passes[0]["x"], ids[0].targets(passes[0]["x"]))]
        losses = {"float32": gradient(weights, batches)[0], "bfloat16": bfloat16_gradient(weights, batches)[0]}
        value = rows[0].get("train_loss") if isinstance(rows[0], dict) else None
        other = losses["float32" if name == "bfloat16" else "bfloat16"]
        expect.true(
            f"{name}: loss",
            near(value, losses[name], 1e-5),
            evidence="right" if near(value, losses[name], 1e-5) else "the other" if near(value, other, 1e-5) else "neither",
            rule=f'With dtype="{name}" the first loss is {value}; computed in {name} it is {losses[name]:.6f}, otherwise'
            f" {other:.6f}.",
        )


def outcome(student, model, ids, config):
    """What ended a run: the StudentError, or None. One that says that something is not written is raised."""
    try:
        student.train.loop.train(model, *ids, config)
    except StudentError as error:
        if error.kind == "missing":
            raise
        return error
    return None


def test_train_stops(student, draw, expect):
    """A loss that is NaN or explodes ends the run at once, with a message that helps, and spares the checkpoint."""
    weights, ids = draw_weights(draw), (Text(draw, 300).ids, Text(draw, 200).ids)
    cases = {
        "NaN": ({"nan_at": 4}, {}),
        "NaN before a row": ({"nan_at": 5}, {}),
        "an exploding loss": ({}, {"max_lr": 1e5, "min_lr": 1e4, "warmup_steps": 1, "grad_clip": None, "steps": 9}),
    }
    for case, (options, changes) in cases.items():
        model = new_model(student, weights, **options)
        out_dir = f"run_{list(cases).index(case)}"
        config = config_for(student, out_dir, accumulation_steps=1, **changes)
        error = outcome(student, model, ids, config)
        updates = len([one for one in passes_of(student, model) if one["training"] and one["grad"]])
        rule = f"The loss is {case}, and the run goes on."
        expect.true(f"{case}: stops", error is not None, rule=rule, evidence=None if error else updates)
        if error is None:
            continue
        kinds = {"ArithmeticError", "RuntimeError", "ValueError"} & set(error.bases)
        expect.true(
            f"{case}: kind of error",
            bool(kinds),
            evidence=bool(kinds),
            rule=f"The run ended with {error.type}, should be FloatingPointError, or another ArithmeticError,"
            " RuntimeError or ValueError.",
        )
        if "nan_at" in options:
            number = options["nan_at"] + 1
            rule = f"The loss of update {number} is NaN, and the run should end there."
            expect.equal(f"{case}: updates", updates, number, rule=rule)
        else:
            expect.true(
                f"{case}: at once",
                updates <= 4,
                evidence=updates,
                rule=f"The loss explodes and the run makes {updates} updates.",
            )
        numbers = {int(digits) for digits in re.findall(r"(?<![\d.])\d+(?![\d.]*\d)", error.message)}
        expect.true(
            f"{case}: step in the message",
            bool(numbers & {updates - 1, updates}),
            record=False,
            rule=f"The message should give the step ({updates - 1}): {error.message[:200]!r}.",
        )
        helps = re.search(r"learning.?rate|\blr\b|max_lr", error.message, re.IGNORECASE) is not None
        expect.true(
            f"{case}: message helps",
            helps,
            rule=f"The message should say what to look at, the learning rate first: {error.message[:200]!r}.",
        )
        expect_sound_checkpoint(student, expect, case, out_dir)


def expect_sound_checkpoint(student, expect, case, out_dir):
    """What is in the run's checkpoint, if there is one, can be trained on."""
    path = f"{out_dir}/checkpoint.pt"
    sound = True
    if path in student.files.list():
        model = student.instrument("tiny_model", V, C)
        model.double()
        content = student.keep(student.train.checkpoint.load_checkpoint, path)
        student.instrument("optimizers").restore(content, model)
        sound = bool(torch.isfinite(weights_of(student, model)).all())
    rule = f"After {case} the checkpoint holds weights that are no numbers any more: it must not be overwritten by then."
    expect.true(f"{case}: checkpoint", sound, rule=rule)


def test_tokens_per_second(student, draw, expect):
    """The speed is that of the updates: neither the slow first one nor the measuring is in it."""
    weights, ids = draw_weights(draw), (Text(draw, 300).ids, Text(draw, 24).ids)  # who measures on all of it waits, too
    model = new_model(student, weights, pauses=[0.5, 0.01, 0.15])
    options = RUN | {"steps": 20, "eval_interval": 10, "eval_batches": 2, "accumulation_steps": 1}
    rows = as_rows(expect, student.train.loop.train(model, *ids, config_for(student, "run_speed", **options)), options)
    if rows is None:
        return
    passes = passes_of(student, model)
    learning = [i for i, one in enumerate(passes) if one["training"] and one["grad"]]
    expect.equal("updates", len(learning), 20, rule="20 updates were asked for.")
    if len(learning) != 20:
        return
    for row, (first, last) in zip(rows, ((1, 9), (10, 19)), strict=True):
        # The last update of a row ends at the latest when the measuring begins.
        following = passes[min(learning[last] + 1, len(passes) - 1)]
        seconds = following["time"] - passes[learning[first]]["time"]
        speed = (last - first + 1) * B * T / seconds
        value = row["tokens_per_second"]
        fits = is_number(value) and 0.5 <= value / speed <= 2.0
        kind = "none" if not is_number(value) else "fits" if fits else "slow" if value < speed else "fast"
        expect.true(
            f"speed of row {row['step']}",
            fits,
            evidence=kind,
            rule=f"tokens_per_second of row {row['step']} is {value}. Its updates took {seconds:.3f} s for"
            f" {(last - first + 1) * B * T} tokens, without the run's first update and without measuring: {speed:.0f}.",
        )


# Checkpoints


def saved(student, path, model, optimizer, *, step=3, tokenizer_hash="0a1b", rng=None):
    config = config_for(student, "somewhere")
    student.train.checkpoint.save_checkpoint(
        path, model=model, optimizer=optimizer, step=step, config=config, tokenizer_hash=tokenizer_hash, rng=rng or {}
    )


def with_adam(student, draw, hands, steps=2):
    """A model and an AdamW that have some updates behind them."""
    model = new_model(student, draw_weights(draw))
    optimizer = student.keep(hands.adam_of, model, 0.05)
    for _ in range(steps):
        hands.give_gradients(model, draw_weights(draw))
        optimizer.step()
    return model, optimizer


def restored(student, draw, hands, path):
    """(what load_checkpoint gives, model, optimizer), both fresh, with the checkpoint's state; None if impossible."""
    content = student.keep(student.train.checkpoint.load_checkpoint, path)
    model, optimizer = with_adam(student, draw, hands, steps=0)
    try:
        hands.restore(content, model, optimizer)
    except StudentError:
        return None
    return student.value(content), model, optimizer


def test_checkpoint_round_trip(student, draw, expect):
    """A checkpoint holds model, optimizer, step, config, tokenizer hash and random states, and gives them back."""
    hands = student.instrument("optimizers")
    model, optimizer = with_adam(student, draw, hands)
    rng = {"torch": draw.randint(0, 256, (40,)).to(torch.uint8), "batches": draw.randint(0, 256, (24,)).to(torch.uint8)}
    step, name = draw.integer(100, 10**6), draw.text("0123456789abcdef", 12)
    saved(student, "new/folder/checkpoint.pt", model, optimizer, step=step, tokenizer_hash=name, rng=rng)
    was = weights_of(student, model)
    later, fresh = draw_weights(draw), draw.seed()
    hands.give_gradients(model, later)
    optimizer.step()
    content = student.value(student.keep(student.train.checkpoint.load_checkpoint, "new/folder/checkpoint.pt"))
    expect.true("a dict", isinstance(content, dict), rule="load_checkpoint returns a dict.")
    if not isinstance(content, dict):
        return
    keys = ("model", "optimizer", "step", "config", "tokenizer_hash", "rng")
    missing = [key for key in keys if key not in content]
    expect.equal("missing keys", missing, [], rule=f"load_checkpoint gives the keys {', '.join(keys)}.")
    if missing:
        return
    expect.equal("step", content["step"], step, rule="The step is not the one that was saved.")
    expect.equal(
        "tokenizer_hash", content["tokenizer_hash"], name, rule="The tokenizer_hash is not the one that was saved."
    )
    kept = {key: setting(student, content["config"], key) for key in RUN}
    differing = sorted(key for key, value in RUN.items() if kept[key] != (list(value) if key == "betas" else value))
    expect.equal("settings that differ", differing, [], rule=f"The saved config is not the one that was given: {kept}.")
    held = content["rng"]
    equal = isinstance(held, dict) and set(held) == set(rng)
    equal = equal and all(isinstance(held[key], torch.Tensor) and same(held[key], rng[key]) for key in rng)
    expect.true("random states", equal, rule="The random states under rng are not those that were saved.")
    expect_same_future(
        student, expect, hands, "new/folder/checkpoint.pt", was, later, weights_of(student, model), fresh
    )


def expect_same_future(student, expect, hands, path, was, gradients, later, seed):
    """A fresh model and optimizer with the checkpoint's state have the old weights, and make the same next step."""
    model = student.instrument("tiny_model", V, C)
    model.double()
    optimizer = student.keep(hands.adam_of, model, 0.9)
    student.instrument("global_random").seed(seed)
    content = student.keep(student.train.checkpoint.load_checkpoint, path)
    try:
        hands.restore(content, model, optimizer)
    except StudentError as error:
        rule = f'"model" and "optimizer" are no state_dicts of what was saved: load_state_dict raised {error}.'
        expect.true("state_dicts", False, rule=rule)
        return
    equal = same(weights_of(student, model), was)
    expect.true("weights", equal, evidence=equal, rule="The loaded weights are not those of the moment of saving.")
    hands.give_gradients(model, gradients)
    optimizer.step()
    now = same(weights_of(student, model), later)
    rule = (
        "The next step of the loaded optimizer is another one: its moments, step count or learning rate were not kept."
    )
    expect.true("next step", now, evidence=[equal, now], rule=rule)


def setting(student, config, name):
    """A field of a saved config, whether it is a dict or an object; tuples count as lists."""
    if isinstance(config, dict):
        return config.get(name)
    try:
        return student.value(getattr(config, name)) if isinstance(config, Ref) else None
    except StudentError:
        return None


def test_checkpoint_atomic(student, draw, expect):
    """A save that fails half-way says so, and leaves the old checkpoint whole."""
    hands, disk = student.instrument("optimizers"), student.instrument("full_disk")
    path = "folder/checkpoint.pt"
    old_model, old_optimizer = with_adam(student, draw, hands)
    model, optimizer = with_adam(student, draw, hands)
    fraction = 0.2 + 0.6 * float(draw.rand(1))
    saved(student, path, old_model, old_optimizer, step=3)
    content = read_file(student, path)
    expect.true("a file", bool(content), rule=f"save_checkpoint should write the file {path}.")
    if not content:
        return
    for what, room in (("no room", 0), ("room for a part", int(fraction * len(content)))):
        disk.fill(room)
        try:
            saved(student, path, model, optimizer, step=4)
            raised = False
        except StudentError as error:
            if error.kind == "missing":
                raise
            raised = True
        finally:
            disk.clear()
        expect.true(f"{what}: raises", raised, rule=f"On a full disk ({what}) save_checkpoint says nothing.")
        try:
            found = restored(student, draw, hands, path)
        except StudentError:
            found = None
        kept = found is not None and isinstance(found[0], dict) and found[0].get("step") == 3
        kept = kept and same(weights_of(student, found[1]), weights_of(student, old_model))
        expect.true(
            f"{what}: the old checkpoint is whole",
            kept,
            evidence=[raised, kept, path in student.files.list()],
            rule=f"After a save that failed ({what}) the checkpoint from before can't be loaded any more: hours of"
            " training are gone.",
        )
    watched = student.instrument("watched_file", path)
    watched.begin()
    try:
        saved(student, path, model, optimizer, step=5)
        found = restored(student, draw, hands, path)
    except StudentError:
        found = None
    moments = watched.end()
    expect.true(
        "whole at every moment",
        not moments,
        evidence=moments,
        rule=f"While save_checkpoint replaces {path}, the old file is {' and '.join(map(str, moments))}: a power cut at"
        " that moment leaves no whole checkpoint of that name. os.replace gives it to the new file at once.",
    )
    fine = found is not None and isinstance(found[0], dict) and found[0].get("step") == 5
    fine = fine and same(weights_of(student, found[1]), weights_of(student, model))
    expect.true("with room again", fine, rule="After a failed save, the next one does not replace the checkpoint.")


class RunsCode:
    """Unpickling one of these makes a folder: in a stranger's file it could be anything."""

    def __reduce__(self):
        return os.mkdir, ("made_by_the_checkpoint",)


def test_checkpoint_safe(student, draw, expect):
    """A file that would run code while it is read is refused, and the code does not run."""
    hands = student.instrument("optimizers")
    model, optimizer = with_adam(student, draw, hands)
    saved(student, "mine.pt", model, optimizer)
    expect.true(
        "own checkpoint", restored(student, draw, hands, "mine.pt") is not None, rule="A checkpoint can't be loaded."
    )
    for what, zipped in (("a file as torch.save writes it", True), ("a bare pickle", False)):
        buffer = io.BytesIO()
        torch.save({"model": RunsCode(), "step": 3}, buffer, _use_new_zipfile_serialization=zipped)
        student.files.put("strange.pt", buffer.getvalue())
        try:
            student.keep(student.train.checkpoint.load_checkpoint, "strange.pt")
            refused = False
        except StudentError as error:
            if error.kind == "missing":
                raise
            refused = True
        # The folder is empty, so it shows by being in the way of a file.
        try:
            student.files.put("made_by_the_checkpoint", b"")
            ran = False
        except StudentError:
            ran = True
        rule = f"load_checkpoint runs code from a stranger's file ({what}): torch.load has an argument against that."
        expect.true(f"{what}: no code runs", not ran, rule=rule)
        expect.true(f"{what}: refused", refused, rule=f"load_checkpoint accepts {what} that holds a command.")


def telling(rows):
    """Rows without what depends on the clock."""
    timeless = [key for key in KEYS if key not in ("seconds", "tokens_per_second")]
    return [[row.get(key) for key in timeless] if isinstance(row, dict) else None for row in rows]


def resumed(student, ids, out_dir, weights, path, dropout):
    """(weights, rows, batches) of a run that goes on from the checkpoint at `path`."""
    student.instrument("global_random").seed(99)
    model = new_model(student, weights, dtype="float32", dropout=dropout)
    config = config_for(student, out_dir)
    rows = student.train.loop.train(model, *ids, config, resume_from=path)
    learning = [one["x"] for one in passes_of(student, model) if one["training"] and one["grad"]]
    return weights_of(student, model), rows, learning


def cut_off(student, ids, out_dir, weights, dropout, updates):
    """Runs until the power goes, in the update after `updates`; whether it did."""
    student.instrument("global_random").seed(1)
    cut = updates * RUN["accumulation_steps"] + 1
    model = new_model(student, weights, dtype="float32", dropout=dropout, power_cut_at=cut)
    error = outcome(student, model, ids, config_for(student, out_dir))
    if error is not None and error.type != "PowerCut":
        raise error
    return error is not None


def test_resume(student, draw, expect):
    """A run that is cut off and resumed ends with the very weights and rows of a run without a break."""
    weights, others = draw_weights(draw), draw_weights(draw)
    ids = Text(draw, 300).ids, Text(draw, 200).ids
    for what, dropout in (("without dropout", 0.0), ("with dropout", 0.4)):
        whole, rows, batches = trained(student, draw, f"whole_{dropout}", weights, ids, disturb=1, dropout=dropout)
        out_dir = f"broken_{dropout}"
        stopped = cut_off(student, ids, out_dir, weights, dropout, updates=4)
        expect.true(f"{what}: cut off", stopped, rule="A run that lost its power went on.")
        path = f"{out_dir}/checkpoint.pt"
        checkpoint = read_file(student, path)
        rule = f"{path} is not there after the first row: a checkpoint goes to out_dir with each row."
        expect.true(f"{what}: a checkpoint", checkpoint is not None, rule=rule)
        if checkpoint is None:
            return
        now, rows_now, batches_now = resumed(student, ids, out_dir, others, path, dropout)
        done = 3 * RUN["accumulation_steps"]
        expect_resumed(expect, what, (whole, rows, batches[done:]), (now, rows_now, batches_now))
        written = metrics_of(student, out_dir)
        steps = [row.get("step") if isinstance(row, dict) else None for row in written or []]
        rule = f"After the resumed run metrics.jsonl has rows for the steps {steps}: the whole run has 3, 6, 7."
        expect.equal(f"{what}: steps in metrics.jsonl", steps, [3, 6, 7], rule=rule)
        student.files.put("kept.pt", checkpoint)
        resumed(student, ids, out_dir, others, "kept.pt", dropout)
        steps = [row.get("step") if isinstance(row, dict) else None for row in metrics_of(student, out_dir) or []]
        rule = f"Resumed once more from the same checkpoint, metrics.jsonl has the steps {steps}, not 3, 6, 7."
        expect.equal(f"{what}: steps after a second try", steps, [3, 6, 7], rule=rule)


def expect_resumed(expect, what, whole, now):
    weights, rows, batches = whole
    weights_now, rows_now, batches_now = now
    counts = [len(batches), len(batches_now)]
    expect.true(
        f"{what}: micro-batches after the break",
        counts[0] == counts[1],
        evidence=counts,
        rule=f"From step 3 to 7 there are {counts[0]} micro-batches; the resumed run made {counts[1]}.",
    )
    equal_batches = same(stack(batches), stack(batches_now))
    expect.true(
        f"{what}: batches after the break",
        equal_batches,
        evidence=equal_batches,
        rule="The resumed run draws other batches than the run without a break: the state of their generator is lost.",
    )
    equal = same(weights, weights_now)
    began_anew = bool((weights - weights_now).norm() > 0.5 * weights.norm())  # other moments make less of a difference
    expect.true(
        f"{what}: weights",
        equal,
        evidence=[equal_batches, equal, began_anew],
        rule=f"The resumed run ({what}) ends with other weights. Kept must be: model, optimizer, step, and the states of"
        " all random generators.",
    )
    usable = isinstance(rows, list) and isinstance(rows_now, list)
    equal_rows = usable and telling(rows) == telling(rows_now)
    expect.true(
        f"{what}: rows",
        equal_rows,
        evidence=[row.get("step") if isinstance(row, dict) else None for row in rows_now] if usable else None,
        rule="The rows of the resumed run are not those of the whole run (times aside).",
    )


def test_other_tokenizer(student, draw, expect):
    """A checkpoint that was trained with another tokenizer is refused, by name."""
    weights, ids = draw_weights(draw), (Text(draw, 300).ids, Text(draw, 200).ids)
    mine, yours = draw.text("abcdef", 9), draw.text("012345", 9)
    changes = {"steps": 2, "warmup_steps": 1}
    model = new_model(student, weights)
    student.train.loop.train(model, *ids, config_for(student, "named", tokenizer_hash=mine, **changes))
    content = student.value(student.keep(student.train.checkpoint.load_checkpoint, "named/checkpoint.pt"))
    held = content.get("tokenizer_hash") if isinstance(content, dict) else None
    expect.true(
        "hash in the checkpoint", held == mine, rule=f"The checkpoint names tokenizer {held!r}, trained with {mine!r}."
    )
    other = config_for(student, "named", tokenizer_hash=yours, **changes)
    for name in (mine, yours):
        expect.raises(
            f"another tokenizer, {'mine' if name == mine else 'yours'}",
            ValueError,
            student.train.loop.train,
            new_model(student, weights),
            *ids,
            other,
            resume_from="named/checkpoint.pt",
            mentions=name,
            rule="A checkpoint of another tokenizer means other tokens by the same ids. Refuse it, naming both hashes.",
        )
    same_one = config_for(student, "named", tokenizer_hash=mine, **changes)
    student.train.loop.train(new_model(student, weights), *ids, same_one, resume_from="named/checkpoint.pt")


# The submission's own GPT


def test_train_own_gpt(student, draw, expect):
    """train() teaches the submission's own GPT a simple language, as well as that can be known and not better."""
    size, follows = 11, 0.9
    up = (draw.rand(1500) < follows).tolist()
    ids = draw.randint(0, size, (1500,)).tolist()
    for t in range(1, len(ids)):
        if up[t]:
            ids[t] = (ids[t - 1] + 1) % size
    ids = torch.tensor(ids)
    student.instrument("global_random").seed(draw.integer(1, 1000))
    sizes = {"block_size": 8, "vocab_size": size, "n_layer": 1, "n_head": 2, "n_embd": 16, "dropout": 0.0}
    model = student.model.transformer.GPT(student.keep(student.model.transformer.GPTConfig, **sizes))
    changes = {
        "steps": 60, "batch_size": 16, "block_size": 8, "max_lr": 2e-2, "min_lr": 2e-3, "warmup_steps": 5,
        "weight_decay": 0.1, "grad_clip": 1.0, "accumulation_steps": 1, "eval_interval": 20,
        "eval_batches": 10, "device": "auto",
    }  # fmt: skip
    rows = student.train.loop.train(model, ids[:1200], ids[1200:], config_for(student, "own/run", **changes))
    rows = as_rows(expect, rows, RUN | changes)
    if rows is None:
        return
    right = follows + (1 - follows) / size
    entropy = -right * math.log(right) - (1 - right) * math.log((1 - follows) / size)
    value = rows[-1]["val_loss"]
    learned = is_number(value) and value <= 1.5
    expect.true(
        "val_loss at the end",
        learned,
        evidence=learned,
        rule=f"After 60 updates the validation loss is {value}; ln {size} = {math.log(size):.2f} is ignorance, and"
        f" {entropy:.2f} is all that can be known. Is your GPT right (make grade M=4)?",
    )
    sober = is_number(value) and value >= entropy - 0.35
    rule = f"The validation loss is {value}, under the entropy of the source, {entropy:.2f}: too good to be true."
    expect.true("not too good to be true", sober, evidence=sober, rule=rule)
