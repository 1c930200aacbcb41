"""Says whether counts could come from a distribution, with a stated bound on false alarms.

Pearson's chi-square test (Pearson 1900). Cells with a small expected count are pooled, so that the statistic is close
to a chi-square variable; its upper tail comes from the regularised incomplete gamma function.
"""

import math

import torch

FALSE_ALARM = 1e-9
POOL_BELOW = 8.0


def chi_square_rejects(counts: torch.Tensor, probabilities: torch.Tensor, false_alarm: float = FALSE_ALARM) -> bool:
    """Whether counts (K,) are too far from n * probabilities (K,) to be a sample of it.

    A count where the probability is zero rejects at once, and so do probabilities that are NaN. With true
    probabilities this returns True at most about once in 1 / false_alarm calls.
    """
    return not chi_square_strain(counts, probabilities, false_alarm) <= 1  # so that NaN rejects


def chi_square_strain(counts: torch.Tensor, probabilities: torch.Tensor, false_alarm: float = FALSE_ALARM) -> float:
    """log of the test's p-value over log of false_alarm: above 1 it rejects; infinite for impossible counts."""
    counts = counts.to(torch.float64)
    expected = probabilities.to(torch.float64) * counts.sum()
    if bool((counts[expected <= 0] > 0).any()):
        return math.inf
    order = expected.argsort()
    counts, expected = counts[order], expected[order]
    small = int((expected < POOL_BELOW).sum())
    while small < len(expected) and float(expected[:small].sum()) < POOL_BELOW and small > 0:
        small += 1  # the pool takes in the next cells until it is large enough itself
    if small > 1:
        counts = torch.cat([counts[:small].sum()[None], counts[small:]])
        expected = torch.cat([expected[:small].sum()[None], expected[small:]])
    degrees = len(counts) - 1
    if degrees < 1:
        return 0.0
    statistic = float(((counts - expected) ** 2 / expected.clamp_min(1e-300)).sum())
    tail = upper_tail(statistic, degrees)
    return math.log(tail) / math.log(false_alarm) if tail != 0 else math.inf


def upper_tail(statistic: float, degrees: int) -> float:
    """P(X >= statistic) for a chi-square variable X."""
    if statistic <= 0:
        return 1.0
    half = torch.tensor([degrees / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))
