"""What a submission returned, as a number and as words.

A number may be a plain one or a tensor with one element: the contract does not say which, except where it says `float`.
"""

import torch

LONGEST, CUT = 120, 110  # letters of a value in a message
LARGEST = 10**30  # beyond it an integer is not worth its digits


def as_number(value) -> int | float | None:
    """A plain number, or the one that a tensor with one element holds; None for anything else."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def shown(value) -> str:
    """A value for a message, in one short line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < LARGEST else "an enormous number"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        return f"a tensor of shape {tuple(value.shape)}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:CUT]}…"
