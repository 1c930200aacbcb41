"""Judges train/schedule.py: the warm-up, the cosine, the floor."""

import math

from autograder.grading.expect import is_close
from autograder.grading.student import StudentError

from .learning_rates import is_rate, rate_at, share


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


def described(settings):
    return ", ".join(f"{name}={value:g}" for name, value in settings.items())


def listed(rates):
    return ", ".join(f"{rate:.6g}" if isinstance(rate, (int, float)) else str(rate) for rate in rates)


def shares(rates, settings):
    return [share(rate, settings["max_lr"]) for rate in rates]


def nearest(lines, actual):
    """The line that is least far from the actual numbers."""
    return min(lines, key=lambda line: sum(abs(a - e) for a, e in zip(actual, line, strict=True)))


def expect_rates(expect, what, settings, steps, rates, expected, rule):
    """The rates at these steps are the expected ones."""
    wrong = [n for n, rate in enumerate(rates) if not is_rate(rate, expected[n], settings["max_lr"])]
    first = wrong[0] if wrong else 0
    expect.true(
        what,
        not wrong,
        rule=rule,
        saw=f"With {described(settings)} the rate at step {steps[first]} is {listed([rates[first]])}, should be"
        f" {expected[first]:.6g}.",
        evidence=shares(rates, settings),
    )


def test_schedule_warmup(student, draw, expect):
    """The warm-up is one of the three published straight lines, and ends at the peak."""
    for number, settings in enumerate(schedules(draw), start=1):
        w, peak = settings["warmup_steps"], settings["max_lr"]
        rates = [rate_at(student, step, settings) for step in range(w + 1)]
        expect.true(
            f"schedule {number}: the rates are floats",
            all(isinstance(rate, float) for rate in rates),
            rule="learning_rate must return a Python float.",
            saw=f"The first rates are {rates[:4]}.",
            evidence=[type(rate).__name__ for rate in rates],
        )
        warmup = shares(rates[:w], settings)
        lines = [[(step + a) / (w + b) for step in range(w)] for a, b in ((0, 0), (1, 0), (1, 1))]
        expect.true(
            f"schedule {number}: the warm-up is a straight line to max_lr",
            is_close(warmup, nearest(lines, warmup)),
            rule="With w = warmup_steps the warm-up must be max_lr * step / w, max_lr * (step + 1) / w or"
            " max_lr * (step + 1) / (w + 1).",
            saw=f"With {described(settings)} the rates of the warm-up begin with {listed(rates[: min(w, 4)])}.",
            evidence=shares(rates, settings),
        )
        rule = "At step warmup_steps, the end of the warm-up, the rate must be max_lr."
        expect_rates(expect, f"schedule {number}: the peak is max_lr", settings, [w], rates[w:], [peak], rule)


def cosine(step, *, max_lr, min_lr, warmup_steps, max_steps):
    """Half a cosine from max_lr at warmup_steps to min_lr at max_steps."""
    progress = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def test_schedule_cosine(student, draw, expect):
    """From the end of the warm-up to max_steps the rate follows half a cosine, with the midpoint in the middle."""
    for number, settings in enumerate(schedules(draw), start=1):
        w, end = settings["warmup_steps"], settings["max_steps"]
        middle = (w + end) // 2
        expect_rates(
            expect,
            f"schedule {number}: the rate halfway",
            settings,
            [middle],
            [rate_at(student, middle, settings)],
            [(settings["max_lr"] + settings["min_lr"]) / 2],
            rule="Halfway from the end of the warm-up to max_steps the rate must be halfway from max_lr to min_lr.",
        )
        steps = sorted({w + (end - w) * part // 8 for part in range(9)})
        expect_rates(
            expect,
            f"schedule {number}: the cosine",
            settings,
            steps,
            [rate_at(student, step, settings) for step in steps],
            [cosine(step, **settings) for step in steps],
            rule="From warmup_steps to max_steps the rate must follow half a cosine from max_lr to min_lr.",
        )


def test_schedule_ends(student, draw, expect):
    """At and after max_steps the rate is min_lr; without warm-up it starts at max_lr."""
    for number, settings in enumerate(schedules(draw), start=1):
        end = settings["max_steps"]
        steps = [end, end + 1, 2 * end - settings["warmup_steps"], 10 * end]
        expect_rates(
            expect,
            f"schedule {number}: the floor",
            settings,
            steps,
            [rate_at(student, step, settings) for step in steps],
            [settings["min_lr"]] * len(steps),
            rule="At max_steps and at every step after it the rate must be min_lr.",
        )
    for min_lr in (0.0, 2e-4):
        expect_no_warmup(student, expect, {"max_lr": 1e-3, "min_lr": min_lr, "warmup_steps": 0, "max_steps": 10})


def expect_no_warmup(student, expect, settings):
    """With warmup_steps=0 the cosine begins at step 0."""
    what = f"no warm-up, floor {settings['min_lr']:g}"
    steps = (0, 1, 5, 10)
    rates = [student.attempt(student.train.schedule.learning_rate, step, **settings) for step in steps]
    errors = [rate for rate in rates if isinstance(rate, StudentError)]
    rule = "warmup_steps=0 must mean that the cosine begins with max_lr at step 0."
    saw = f"With warmup_steps=0 learning_rate raised {errors[0]}." if errors else ""
    expect.need(f"{what}: learning_rate returns", not errors, rule=rule, saw=saw)
    expected = [cosine(step, **settings) for step in steps]
    expect_rates(expect, what, settings, steps, rates, expected, rule)
