"""The form of replies that an honest worker always sends; another form ends the worker with BadReply.

A grader sizes its own inputs by what it is told here, so a shape is looked at before anybody allocates by it.
"""

import math

import torch

from autograder.jail.inside.wire import DTYPES, MAX_DIMENSIONS, MAX_ELEMENTS
from autograder.jail.worker import BadReply

_FLAGS = "requires_grad", "has_grad", "grad_zero"


def listed(value, length: int | None = None) -> list:
    """A list, of `length` if that is given."""
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise BadReply("the worker sent an answer of the wrong form")
    return value


def _each(value, fits) -> list:
    if not all(fits(part) for part in listed(value)):
        raise BadReply("the worker sent an answer of the wrong form")
    return value


def flags(value) -> list[bool]:
    return _each(value, lambda part: isinstance(part, bool))


def texts(value) -> list[str]:
    return _each(value, lambda part: isinstance(part, str))


def content(value) -> bytes:
    if not isinstance(value, bytes):
        raise BadReply("the worker sent an answer of the wrong form")
    return value


def tensors(value) -> list:
    """Tensors, or None in the place of one."""
    return _each(value, lambda part: part is None or isinstance(part, torch.Tensor))


def parameters(value) -> list[dict]:
    """Rows of `Student.parameters`. Their tensors together are no larger than what can be sent."""
    rows = _each(value, _is_parameter)
    if sum(math.prod(row["shape"]) for row in rows) > MAX_ELEMENTS:
        raise BadReply(f"the worker told of parameters with more than {MAX_ELEMENTS:,} numbers")
    return rows


def _is_parameter(row) -> bool:
    if not isinstance(row, dict) or row.keys() != {"shape", "dtype", "storage", *_FLAGS}:
        return False
    shape = row["shape"]
    sized = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    sized = sized and all(type(size) is int and 0 <= size <= MAX_ELEMENTS for size in shape)
    known = isinstance(row["dtype"], str) and row["dtype"] in DTYPES and type(row["storage"]) is int
    return sized and known and all(isinstance(row[flag], bool) for flag in _FLAGS)
