"""Judges fit_power_law: exponent, coefficient, and the interval, by its width.

Student's t has one right width. A bootstrap's width varies, so it is judged on average over many data sets.
"""

import math

import torch

from autograder.grading.expect import is_close

from .power_laws import FEWEST_FOR_INTERVAL, ends, expect_fitted, line_through, three_parts
from .returned_values import as_number, shown

T_QUANTILE = {4: 2.776445, 118: 1.980272}  # 97.5 % quantiles of Student's t, by degrees of freedom
# An interval that is a fixed multiple of the standard error may be so wide, as a share of the one by Student's t. The
# stub's quantile is 0.2 % off for 3 degrees of freedom, and a printed table is rounded.
EXACT_WIDTH = 0.98, 1.02
# Any other interval, on average. A bootstrap of few points is too narrow, as those say who recommend it.
MEAN_WIDTH_OF_6_POINTS = 0.3, 3.0
MEAN_WIDTH_OF_120_POINTS = 0.86, 1.16

LINE = "Exponent and coefficient must be those of the least-squares line through the points (ln x, ln y)."
THREE_PARTS = "fit_power_law must return (exponent, coefficient, interval)."
WHEN = "There must be an interval, a pair (low, high), for 5 points or more, and None in its place for fewer."


def power_law(draw, n, noise):
    """x, y as lists: a power law from 10^4 to 10^8 with log-normal noise."""
    exponent, coefficient = -0.05 - 0.3 * float(draw.rand(1)), 2.0 + 10 * float(draw.rand(1))
    u = math.log(1e4) + math.log(1e4) * draw.rand(n)
    v = math.log(coefficient) + exponent * u + noise * draw.randn(n)
    return u.exp().tolist(), v.exp().tolist()


def fitted(student, expect, points, x, y):
    """(exponent, coefficient, interval) of fit_power_law(x, y); `points` says in a label which points these are."""
    fit = student.train.scaling.fit_power_law(x, y)
    parts = three_parts(student, fit)
    expect.need(
        f"the fit of {points} has three parts",
        parts is not None,
        rule=THREE_PARTS,
        saw=f"For {points} fit_power_law returned {shown(fit)}.",
    )
    return parts


def expect_line(student, expect, points, x, y):
    exponent, coefficient, _ = fitted(student, expect, points, x, y)
    line = line_through(x, y)
    for name, given, expected in (
        ("exponent", exponent, line.exponent),
        ("coefficient", coefficient, line.coefficient),
    ):
        expect_fitted(expect, f"the {name} of {points}", given, expected, rule=LINE, evidence=as_number(given))


def test_power_law_exact(student, draw, expect):
    """Points that lie on a power law give it back: falling, rising, with any spacing."""
    for points, exponent, coefficient in (("a falling law", -0.076, 8.5), ("a rising law", 0.73, 0.02)):
        start = draw.integer(3, 50)
        x = [start * ratio for ratio in (1, 2, 5, 30, 64, 1000)]
        expect_line(student, expect, points, x, [coefficient * value**exponent for value in x])
    x = [float(draw.integer(2, 9)), float(draw.integer(20, 99))]
    y = [float(draw.integer(2, 9)), float(draw.integer(20, 99))]
    expect_line(student, expect, "two points", x, y)


def test_power_law_noisy(student, draw, expect):
    """Points beside a power law give the least-squares line in the logarithms."""
    for n in (3, 5, 8, 20):
        x, y = power_law(draw, n, noise=0.2)
        expect_line(student, expect, f"{n} points beside a law", x, y)


def expect_width(student, draw, expect, n, sets, mean_width):
    """The intervals for `sets` data sets of n points are as wide as those by Student's t, each or on average."""
    widths = torch.stack([width_of_one(student, draw, expect, n, number) for number in range(1, sets + 1)])
    mean = widths.mean().item()
    is_multiple = is_close(widths / mean - 1, torch.zeros(sets), tol="fit")
    low, high = EXACT_WIDTH if is_multiple else mean_width
    expect.true(
        f"the interval of {n} points has the width of 95 % certainty",
        low <= mean <= high,
        rule="The interval must be as wide as that by Student's t with n - 2 degrees of freedom; a bootstrap's must be"
        " about as wide on average.",
        saw=f"With {n} points the interval is {mean:.3f} times as wide as the 95 % interval by Student's t with"
        f" {n - 2} degrees of freedom.",
        evidence=[is_multiple, round(mean, 4)] if is_multiple else [is_multiple],
    )


def width_of_one(student, draw, expect, n, number):
    """Half the width of the interval for n drawn points, over half the width by Student's t: a scalar tensor."""
    x, y = power_law(draw, n, noise=0.1)
    exponent, _, error = line_through(x, y)
    points = f"set {number} of {n} points"
    _, _, interval = fitted(student, expect, points, x, y)
    pair = ends(interval)
    expect.need(
        f"there is an interval for {points}",
        pair is not None,
        rule=WHEN,
        saw=f"For {n} points the third part is {shown(interval)}.",
    )
    low, high = pair
    expect.true(
        f"the interval of {points} holds the exponent",
        low <= exponent <= high,
        rule="The interval must hold the exponent of the least-squares line: low, below it, and high, above it.",
        saw=f"For {n} points with the exponent {exponent:.4f} the interval goes from {low:.4f} to {high:.4f}.",
    )
    return torch.tensor((high - low) / 2 / (T_QUANTILE[n - 2] * error), dtype=torch.float64)


def test_power_law_interval(student, draw, expect):
    """From 5 points on there is an interval whose width is that of 95 %: by t exactly, by a bootstrap on average."""
    expect_width(student, draw, expect, 6, 8, MEAN_WIDTH_OF_6_POINTS)
    expect_width(student, draw, expect, 120, 30, MEAN_WIDTH_OF_120_POINTS)


def test_power_law_few_points(student, draw, expect):
    """No interval for 2, 3 and 4 points; one for 5."""
    for n in (2, 3, 4, FEWEST_FOR_INTERVAL):
        x, y = power_law(draw, n, noise=0.1)
        _, _, interval = fitted(student, expect, f"{n} points", x, y)
        saw = f"For {n} points the third part is {shown(interval)}."
        if n < FEWEST_FOR_INTERVAL:
            expect.true(f"there is no interval for {n} points", interval is None, rule=WHEN, saw=saw)
        else:
            expect.true(f"there is an interval for {n} points", ends(interval) is not None, rule=WHEN, saw=saw)
