"""How values read in a message: short, and small tensors as aligned rows."""

import torch

from autograder.grading.student import Ref

WHOLE = 8  # a tensor of no more values is written in one line
ROWS, COLUMNS = 8, 8  # a matrix of no more is shown as rows
WIDTH = 68  # of two blocks of rows side by side; a verdict's lines have 80 columns, labels and indent included
LONGEST, CUT = 160, 150


def plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def short(value) -> str:
    """The value in one line, or what kind of value it is."""
    if isinstance(value, torch.Tensor):
        if value.numel() <= WHOLE:
            return f"tensor({value.tolist()}, dtype={plain(value.dtype)})"
        return f"a {plain(value.dtype)} tensor of shape {tuple(value.shape)}"
    if isinstance(value, Ref):
        return "an object, not a plain value"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:CUT]}… ({len(text)} characters)"


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Both numbers with six digits, or as many as it takes to see a difference."""
    pairs = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in (6, 9, 12, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (f"{a:.6g}", f"{b:.6g}"))


def is_small_matrix(value) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.ndim == 2
        and 0 < value.shape[0] <= ROWS
        and 1 < value.shape[1] <= COLUMNS
    )


def side_by_side(what: str, actual: torch.Tensor, expected: torch.Tensor) -> str:
    """Two small matrices as aligned rows, next to each other if they fit, else one below the other."""
    left, right = [f"{what} is", *rows(actual)], ["should be", *rows(expected)]
    width = max(map(len, left))
    if width + 3 + max(map(len, right)) > WIDTH or len(left) != len(right):
        return "\n".join([*left, *right])
    return "\n".join(f"{a:<{width}}   {b}" for a, b in zip(left, right, strict=True))


def rows(matrix: torch.Tensor) -> list[str]:
    """One indented line per row, the columns aligned."""
    cells = [[_cell(value) for value in row] for row in matrix.tolist()]
    width = max(len(cell) for row in cells for cell in row)
    return ["  " + " ".join(f"{cell:>{width}}" for cell in row) for row in cells]


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
