"""How far a number may be from the right one: the one table of all graders.

A tolerance t allows |actual - expected| <= t * (1 + |expected|). A grader names an entry and never writes a number.
"""

import math

import torch

BY_DTYPE = {
    torch.float64: 1e-9,
    torch.float32: 1e-5,
    torch.float16: 1e-2,
    torch.bfloat16: 2e-2,
}

TOLERANCE = {
    "f64": BY_DTYPE[torch.float64],
    "f32": BY_DTYPE[torch.float32],
    "f16": BY_DTYPE[torch.float16],
    "bf16": BY_DTYPE[torch.bfloat16],
    "zero": 1e-6,  # what is left of a difference that should vanish, after float32 steps or a finite difference
    "sums": 1e-4,  # float32 sums over a whole data set, added up in any order
    "fit": 1e-3,  # a minimum that was searched for, or a number that a person rounded
}


def off_by(actual: float, expected: float, tolerance: str) -> float:
    """The distance as a share of what is tolerated: at most 1 is close; infinite for NaN and for no finite distance."""
    if actual == expected:  # infinities included
        return 0.0
    share = abs(actual - expected) / (TOLERANCE[tolerance] * (1 + abs(expected)))
    return math.inf if math.isnan(share) else share
