"""Judges train_step in train/loop.py: the loss, the gradient, clipping, mode and arithmetic of one update.

The optimizer is plain gradient descent, so that the weights after a step show the gradient that it was made with.
"""

import itertools

from autograder.grading.student import StudentError

from .lent_model import new_model, passes_of
from .tiny_model import (
    LOSS,
    B,
    T,
    bfloat16_gradient,
    clipped,
    descended,
    distance,
    draw_batches,
    draw_weights,
    equal_bits,
    expect_weights,
    flat,
    gradient,
    norm,
    weights_of,
)

RATE = 0.3
SMALL_RATE = 0.01  # for float32 weights: small enough to tell two gradients apart, large enough to show in the weights
OWN = 0.2  # share of the distance between float32 and bfloat16 arithmetic within which a gradient is of one of them


def stepped(student, model, optimizer, batches, **options):
    return student.train.loop.train_step(model, optimizer, batches, **options)


def with_sgd(student, weights):
    """A model with these weights, and plain gradient descent on it."""
    model = new_model(student, weights)
    return model, student.keep(student.instrument("optimizers").sgd_of, model, RATE)


def test_step_loss(student, draw, expect):
    """train_step returns the mean loss of the micro-batches, before the update."""
    weights = draw_weights(draw)
    for n in (1, 3):
        model, optimizer = with_sgd(student, weights)
        batches = draw_batches(draw, n)
        value = stepped(student, model, optimizer, batches, grad_clip=None)
        loss, gradients = gradient(weights, batches)
        after, _ = gradient(descended(weights, gradients, RATE), batches)
        expect.note(f"loss after the update, {n}", round(after, 6))
        expect.number(
            f"the loss of {n} micro-batches",
            value,
            loss,
            tol=LOSS,
            rule="train_step must return the mean loss of the micro-batches under the weights before the update.",
        )


def test_step_accumulation(student, draw, expect):
    """Micro-batches move the weights as one big batch does, and memory holds one of them at a time."""
    weights = draw_weights(draw)
    for n in (1, 3, 4):
        model, optimizer = with_sgd(student, weights)
        batches = draw_batches(draw, n)
        stepped(student, model, optimizer, batches, grad_clip=None)
        _, gradients = gradient(weights, batches)
        after = weights_of(student, model)
        expect_weights(
            expect,
            f"the weight vector after {n} micro-batches",
            after,
            flat(descended(weights, gradients, RATE)),
            rule="The step must follow the gradient of the mean loss over all micro-batches: the sum's is too long.",
        )
        expect.note(
            f"what a step that moved nothing left behind, {n} micro-batches",
            left_behind(student, model, after, weights),
        )
        expect_one_after_the_other(student, expect, model, n)


def left_behind(student, model, after, weights):
    """Of a step that moved nothing: whether there are gradients now. None if it moved the weights."""
    if not equal_bits(after, flat(weights)):
        return None
    return any(gradient is not None and bool(gradient.ne(0).any()) for gradient in student.gradients(model))


def expect_one_after_the_other(student, expect, model, n):
    """Each micro-batch had its own forward and backward pass before the next one began."""
    events = list(student.behind(model).events)
    shapes = [list(forward["x"].shape) for forward in passes_of(student, model) if forward["grad"]]
    apart = ("forward", "forward") not in itertools.pairwise(events)
    expect.true(
        f"{n} micro-batches pass one after the other",
        apart and shapes == [[B, T]] * n,
        rule="Each micro-batch must go forward and backward before the next one begins: all at once would need as much"
        " memory as the big batch.",
        saw=f"The passes were {events}, with inputs of shapes {shapes}.",
        evidence=[events, shapes],
    )


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
        weights = descended(weights, gradient(weights, batches)[1], RATE)
        expect_weights(
            expect,
            f"the weight vector after the {what}",
            weights_of(student, model),
            flat(weights),
            rule="A step must follow the gradient of its own batches alone, whatever was in .grad before.",
        )


def test_step_clipping(student, draw, expect):
    """A gradient whose norm over all parameters together is too large is scaled to the bound, before the step."""
    weights = draw_weights(draw, loudness=9.0)
    shares = {
        "clipped to 0.4 of its norm": 0.4,
        "clipped to 0.7 of its norm": 0.7,
        "with a bound of three times its norm": 3.0,
    }
    for case in (*shares, "with grad_clip=None", "with grad_clip=0", "clipped to norm 1, the default"):
        batches = draw_batches(draw, 2)
        _, gradients = gradient(weights, batches)
        length = norm(gradients)
        bounds = {"with grad_clip=None": None, "with grad_clip=0": 0.0, "clipped to norm 1, the default": 1.0}
        bound = shares[case] * length if case in shares else bounds[case]
        options = {} if case == "clipped to norm 1, the default" else {"grad_clip": bound}
        model, optimizer = with_sgd(student, weights)
        returned = student.attempt(student.train.loop.train_step, model, optimizer, batches, **options)
        expect.need(
            f"a step {case} does not raise",
            not isinstance(returned, StudentError),
            rule="train_step must take any grad_clip that is a number of 0 or more, or None.",
            saw=f"With grad_clip={bound} train_step raised {returned}.",
        )
        expect_weights(
            expect,
            f"the weight vector after a step {case}",
            weights_of(student, model),
            flat(descended(weights, clipped(gradients, bound), RATE)),
            rule=f"This gradient has the norm {length:.3f} over all parameters together. With grad_clip={bound}"
            f" it must be {'scaled down to that norm' if bound and bound < length else 'left alone'} before the"
            " optimizer's step.",
        )


def test_step_train_mode(student, draw, expect):
    """The step computes in train mode, even if the model came in eval mode, and leaves it there."""
    weights = draw_weights(draw)
    model, optimizer = with_sgd(student, weights)
    model.eval()
    batches = draw_batches(draw, 2)
    value = stepped(student, model, optimizer, batches, grad_clip=None)
    loss, gradients = gradient(weights, batches)
    rule = "A model that comes in eval mode must be put in train mode, or there is no dropout."
    expect.number("the loss", value, loss, tol=LOSS, rule=rule)
    moved = flat(descended(weights, gradients, RATE))
    expect_weights(expect, "the weight vector", weights_of(student, model), moved, rule=rule)
    modes = student.modes(model)
    expect.true(
        "the whole model is in train mode afterwards",
        all(modes),
        rule="train_step must leave the model in train mode.",
        saw=f"{modes.count(False)} of the model's {len(modes)} modules are in eval mode after train_step.",
        evidence=modes,
    )


def test_step_bfloat16(student, draw, expect):
    """dtype=torch.bfloat16 computes in bfloat16 and keeps weights and loss in float32."""
    weights = [weight.float() for weight in draw_weights(draw)]
    batches = draw_batches(draw, 1)  # of several, autocast may add up the gradients in bfloat16 or in float32
    right = {"bfloat16": bfloat16_gradient(weights, batches), "float32": gradient(weights, batches)}
    for name, (loss, _) in right.items():
        model = new_model(student, weights, dtype="float32")
        optimizer = student.keep(student.instrument("optimizers").sgd_of, model, SMALL_RATE)
        kind = student.instrument("dtype", name)
        value = stepped(student, model, optimizer, batches, grad_clip=None, dtype=kind)
        expect_float32_weights(student, expect, name, model)
        moved = [(a - b) / SMALL_RATE for a, b in zip(weights, student.get_parameters(model), strict=True)]
        expect.equal(
            f"dtype=torch.{name}: the arithmetic of the update",
            arithmetic_of(moved, {name: gradients for name, (_, gradients) in right.items()}),
            name,
            rule="The arithmetic of the forward pass must be that of `dtype`.",
        )
        expect.number(
            f"dtype=torch.{name}: the loss",
            value,
            loss,
            tol="f32",
            rule="train_step must return a Python float: the loss in float32, of logits that are computed in `dtype`.",
            record=False,  # the digits of bfloat16 differ between machines
        )


def expect_float32_weights(student, expect, name, model):
    """The model's weights are in float32 still."""
    dtypes = sorted({parameter["dtype"] for parameter in student.parameters(model)})
    expect.need(
        f"dtype {name}: the weights stay float32",
        dtypes == ["float32"],
        rule="The weights themselves must stay float32, whatever the arithmetic is.",
        saw=f"With dtype {name} the weights are {' and '.join(dtypes)} afterwards.",
        evidence=dtypes,
    )


def arithmetic_of(gradients, by_arithmetic):
    """The name of the arithmetic that gives these gradients, or `neither`."""
    apart = distance(*by_arithmetic.values())
    near = (name for name, one in by_arithmetic.items() if distance(gradients, one) <= OWN * apart)
    return next(near, "neither")
