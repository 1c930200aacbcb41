"""The least-squares line in the logarithms, and what a submission's fit is compared with."""

import math
from typing import NamedTuple

import torch

from autograder.grading.expect import Expect, is_close
from autograder.grading.student import Ref, Student, StudentError

from .returned_values import as_number, shown

PARTS = ("exponent", "coefficient", "interval")
FEWEST_FOR_INTERVAL = 5  # as fit_power_law's docstring says


class Line(NamedTuple):
    """`error` is the standard error of the exponent, None for fewer than 3 points."""

    exponent: float
    coefficient: float
    error: float | None


def line_through(x, y) -> Line:
    """Least squares through the points (ln x, ln y) (Draper and Smith 1998, section 1.4)."""
    u, v = (torch.tensor(values, dtype=torch.float64).log() for values in (x, y))
    spread = ((u - u.mean()) ** 2).sum()
    slope = ((u - u.mean()) * (v - v.mean())).sum() / spread
    intercept = v.mean() - slope * u.mean()
    if len(x) < 3:
        return Line(float(slope), math.exp(intercept), None)
    squares = ((v - intercept - slope * u) ** 2).sum()
    return Line(float(slope), math.exp(intercept), float((squares / (len(x) - 2) / spread).sqrt()))


def three_parts(student: Student, fit) -> tuple | None:
    """(exponent, coefficient, interval) of a sequence, a dict or an object that names them; None for anything else."""
    if isinstance(fit, (list, tuple)) and len(fit) == len(PARTS):
        return tuple(fit)
    if isinstance(fit, dict) and all(name in fit for name in PARTS):
        return tuple(fit[name] for name in PARTS)
    if isinstance(fit, Ref):
        try:
            return tuple(student.value(getattr(fit, name)) for name in PARTS)
        except StudentError:  # an object without these names
            return None
    return None


def ends(interval) -> tuple[float, float] | None:
    """(low, high), or None if the interval is not a pair of numbers."""
    if isinstance(interval, torch.Tensor):
        interval = interval.reshape(-1).tolist()
    if isinstance(interval, (list, tuple)) and len(interval) == 2:
        low, high = map(as_number, interval)
        if low is not None and high is not None:
            return low, high
    return None


def is_fitted(given: float, expected: float) -> bool:
    """To a thousandth of its size, or, if it is close to 0, to what float32 can tell."""
    if is_close(given, expected, tol="f32"):
        return True
    return expected != 0 and is_close(given / expected - 1, 0.0, tol="fit")


def expect_fitted(expect: Expect, what: str, given, expected: float, *, rule: str, evidence) -> None:
    """`given`, an exponent or a coefficient, is that of the least-squares line."""
    number = as_number(given)
    expect.true(
        f"{what} is that of the least-squares line",
        number is not None and is_fitted(number, expected),
        rule=rule,
        saw=f"{what} is {shown(given)}, should be {expected:.6g}.",
        evidence=evidence,
    )
