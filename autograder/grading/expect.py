"""States what must hold, in a grader's words, and remembers what was seen so that a mistake can be named.

In a verdict run the first expectation that fails ends the item with `Wrong`. In a diagnosis run nothing is raised: the
record of labels and values is what a mistake is known by. `strain` keeps how near the item came to its limits: what was
measured over what is tolerated, at most 1 where all held.
"""

import math

import torch

from autograder.student import Ref, StudentError

TOLERANCE = {
    torch.float64: 1e-9,
    torch.float32: 1e-5,
    torch.float16: 1e-2,
    torch.bfloat16: 2e-2,
}
SHOWN = 8  # a tensor of no more values is shown whole
KEPT_NUMBERS = 24
KEPT_LETTERS = 200
KEPT_DIGITS = 7


class Wrong(Exception):
    """An expectation that did not hold; the message is for the learner."""


class Expect:
    def __init__(self, *, recording: bool):
        self.recording = recording
        self.record: list[list] = []
        self.strain = 0.0

    def tensor(self, what, actual, *, shape=None, dtype=None, finite=True, why="", record=False):
        """`actual` is a tensor of that shape and dtype, without NaN or infinity. `record` keeps its values, too."""
        problem = _tensor_problem(actual, shape, dtype, finite)
        seen = summary(actual) if record or not isinstance(actual, torch.Tensor) else summary(actual)[:3]
        self._judge(what, problem is None, f"{what} {problem}.", why, seen)

    def shape(self, what, actual, shape, *, why=""):
        self.tensor(what, actual, shape=shape, finite=False, why=why)

    def close(self, what, actual, expected, *, why="", dtype=None, record=True):
        """Equal up to the tolerance of the dtype: |a - e| <= tolerance * (1 + |e|). Floats compare as float64."""
        if not isinstance(expected, torch.Tensor):
            expected = torch.tensor(expected, dtype=torch.float64)
            if isinstance(actual, (int, float)) and not isinstance(actual, bool):
                actual = torch.tensor(actual, dtype=torch.float64)
            elif isinstance(actual, torch.Tensor):
                expected = expected.to(dtype or actual.dtype)
        dtype = dtype or expected.dtype
        problem = _tensor_problem(actual, tuple(expected.shape), dtype, finite=False)
        if problem is None:
            strain, problem = _difference(actual, expected, TOLERANCE.get(dtype, 0.0))
            self._strained(strain)
        self._judge(what, problem is None, f"{what}{_glue(problem)}{problem}.", why, _seen(actual, record))

    def equal(self, what, actual, expected, *, why="", record=True):
        """Exactly equal: numbers, strings, bytes, lists (tuples count as lists), dicts, tensors."""
        held = _same(actual, expected)
        message = f"{what} is {_short(actual)}, should be {_short(expected)}."
        if not held and isinstance(expected, torch.Tensor) and expected.numel() > SHOWN:
            problem = _tensor_problem(actual, expected.shape, expected.dtype, finite=False)
            problem = problem or _difference(actual, expected, 0.0)[1]
            message = f"{what}{_glue(problem)}{problem}."
        self._judge(what, held, message, why, _seen(actual, record))

    def true(self, what, condition, *, why="", seen=None, record=True, strain=0.0):
        """`strain`: how near the condition is to its limit, which is 1, where that is a matter of degree."""
        self._strained(strain)
        held = bool(torch.as_tensor(condition).all())
        message = "" if why else f"{what}: does not hold."
        self._judge(what, held, message, why, _seen(seen, record))

    def below(self, what, number, bound, *, why="", record=True):
        held = _is_number(number) and float(number) <= bound
        if _is_number(number) and bound > 0:
            self._strained(float(number) / bound)
        message = f"{what} is {_short(number)}, should be at most {bound:g}."
        self._judge(what, held, message, why, _seen(number, record))

    def above(self, what, number, bound, *, why="", record=True):
        held = _is_number(number) and float(number) >= bound
        if _is_number(number) and bound > 0:
            self._strained(bound / float(number) if float(number) > 0 else math.inf)
        message = f"{what} is {_short(number)}, should be at least {bound:g}."
        self._judge(what, held, message, why, _seen(number, record))

    def raises(self, what, kind, function, *args, why="", mentions=None, **kwargs):
        """Calling raises `kind` (or a subclass) in the student's code, with a message that mentions `mentions`."""
        try:
            returned = function(*args, **kwargs)
        except StudentError as error:
            if error.kind == "missing":
                raise
            held = kind.__name__ in error.bases
            message = f"{what}: raised {error}, should raise {kind.__name__}."
            if held and mentions is not None and str(mentions) not in error.message:
                held, message = False, f"{what}: the {kind.__name__}'s message should mention {mentions!r}: {error}."
            self._judge(what, held, message, why, ["raised", error.type])
        else:
            message = f"{what}: returned {_short(returned)}, should raise {kind.__name__}."
            self._judge(what, False, message, why, ["returned"])

    def note(self, what, value):
        """Evidence for the diagnosis, never a verdict."""
        self.record.append([what, True, summary(value)])

    def _strained(self, ratio: float) -> None:
        self.strain = max(self.strain, math.inf if math.isnan(ratio) else ratio)

    def _judge(self, what, held, message, why, seen):
        self.record.append([what, held, seen])
        if not held and not self.recording:
            raise Wrong(" ".join(part for part in (why, message) if part))


def _seen(value, record):
    return summary(value) if record else None


def summary(value):
    """A short, comparable stand-in for a value: JSON types only."""
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


def _tensor_problem(actual, shape, dtype, finite) -> str | None:
    if not isinstance(actual, torch.Tensor):
        return f"is {_short(actual)}, should be a tensor{f' of shape {tuple(shape)}' if shape is not None else ''}"
    if shape is not None and tuple(actual.shape) != tuple(shape):
        return f"has shape {tuple(actual.shape)}, should be {tuple(shape)}"
    if dtype is not None and actual.dtype != dtype:
        return f"has dtype {_plain(actual.dtype)}, should be {_plain(dtype)}"
    if finite and actual.is_floating_point() and not bool(torch.isfinite(actual).all()):
        return f"holds {_first_bad(actual)}"
    return None


def _first_bad(actual) -> str:
    where = torch.nonzero(~torch.isfinite(actual))[0].tolist()
    return f"{actual[tuple(where)].item()} at {where}"


def _difference(actual, expected, tolerance) -> tuple[float, str | None]:
    """The largest |a - e| / (tolerance * (1 + |e|)) of two tensors of one shape and dtype; where, if it exceeds 1."""
    if actual.numel() == 0:
        return 0.0, None
    a, e = actual.to(torch.float64), expected.to(torch.float64)
    equal = a == e  # infinities included
    ratio = torch.where(equal, 0.0, (a - e).abs() / (tolerance * (1 + e.abs())))
    ratio = torch.nan_to_num(ratio, nan=math.inf, posinf=math.inf)
    strain = float(ratio.max())
    if strain <= 1:
        return strain, None
    index = [int(i) for i in torch.unravel_index(ratio.argmax(), ratio.shape)]
    place = f"[{', '.join(map(str, index))}] is" if index else " is"
    count = int((ratio > 1).sum())
    of = f" ({count} of {ratio.numel()} values differ)" if ratio.numel() > 1 else ""
    is_now, should_be = _told_apart(a[tuple(index)].item(), e[tuple(index)].item())
    return strain, f"{place} {is_now}, should be {should_be}{of}"


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Both numbers with six digits, or as many as it takes to see a difference."""
    pairs = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in (6, 9, 12, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (f"{a:.6g}", f"{b:.6g}"))


def _glue(problem) -> str:
    return "" if problem is not None and problem.startswith(("[", " ")) else " "


def _same(actual, expected) -> bool:
    if isinstance(actual, torch.Tensor) or isinstance(expected, torch.Tensor):
        if not (isinstance(actual, torch.Tensor) and isinstance(expected, torch.Tensor)):
            return False
        return actual.dtype == expected.dtype and actual.shape == expected.shape and bool((actual == expected).all())
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(actual, (list, tuple))
            and len(actual) == len(expected)
            and all(_same(a, e) for a, e in zip(actual, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == expected.keys()
            and all(_same(actual[key], expected[key]) for key in expected)
        )
    return type(actual) is type(expected) and actual == expected


def _is_number(value) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and not value.is_complex()
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain(dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _short(value) -> str:
    if isinstance(value, torch.Tensor):
        if value.numel() <= SHOWN:
            return f"tensor({value.tolist()}, dtype={_plain(value.dtype)})"
        return f"a {_plain(value.dtype)} tensor of shape {tuple(value.shape)}"
    if isinstance(value, Ref):
        return "an object that is no plain value"
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:150]}… ({len(text)} characters)"
