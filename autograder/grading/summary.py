"""A short, comparable stand-in for what a submission gave: the values that records of mistakes are made of."""

import math

import torch

KEPT_NUMBERS = 24
KEPT_LETTERS = 200
KEPT_DIGITS = 7


def summary(value):
    """JSON types only: some of a tensor's numbers, the beginning of a list or a text, the type of anything else."""
    if isinstance(value, torch.Tensor):
        flat = value.reshape(-1)
        step = max(1, -(-flat.numel() // KEPT_NUMBERS))
        numbers = flat[::step].to(torch.float64) if not flat.is_complex() else flat[::step].abs()
        return ["tensor", str(value.dtype), list(value.shape), [summary(number) for number in numbers.tolist()]]
    if isinstance(value, (list, tuple)):
        return [summary(part) for part in value[:KEPT_NUMBERS]]
    if isinstance(value, dict):
        return [[str(key), summary(part)] for key, part in list(value.items())[:KEPT_NUMBERS]]
    if isinstance(value, float):
        # JSON has no word for NaN and infinities; more digits than are compared would only make the records longer
        return float(f"{value:.{KEPT_DIGITS}g}") if math.isfinite(value) else str(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)[:KEPT_LETTERS]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, bytes)):
        return value[:KEPT_LETTERS] if isinstance(value, str) else repr(value[:KEPT_LETTERS])
    return type(value).__name__
