"""The words in which a grader states what must hold.

    expect.tensor("out", out, shape=(B, T, C), dtype=torch.float64)
    expect.close("out", out, expected, rule="out[t] must be the mean of x[0] to x[t].")
    expect.need("a list of dicts", is_list, rule="parameter_groups must return a list of dicts.")

`what` is a label, unique in the item. `rule` is a sentence about every right submission, true whatever was found; the
harness adds what was seen. In a verdict run the first expectation that fails ends the item with `Wrong`. In a diagnosis
run only `need` ends the item: every label is recorded with what the submission gave, and by that record a mistake is
known. So record what tells mistakes apart, and nothing that differs between two right styles (`record=False`).

`strain` keeps how near the item came to its limits: measured over tolerated, at most 1 if all held.
"""

import math
from collections.abc import Callable, Mapping

import torch

from autograder.grading import tolerance
from autograder.grading.shown import is_small_matrix, plain, short, side_by_side, told_apart
from autograder.grading.student import StudentError
from autograder.grading.summary import summary


class Wrong(Exception):
    """An expectation that did not hold: what was `seen`, and the `rule` that it breaks."""

    def __init__(self, seen: str, rule: str = ""):
        super().__init__(seen)
        self.seen, self.rule = seen, rule


class Stopped(Exception):
    """A `need` that did not hold ends a diagnosis run; the record says which."""


class Expect:
    """One run of one item: what was recorded, and how near the limits it came."""

    def __init__(self, *, recording: bool):
        self.recording = recording
        self.record: list[list] = []
        self.strain = 0.0

    def tensor(self, what: str, actual, *, shape=None, dtype=None, finite=True, rule="", record=False) -> None:
        """`actual` is a tensor of that shape and dtype, without NaN or infinity. `record` keeps its values, too.

        expect.tensor("logits", logits, shape=(B, T, V), dtype=torch.float32)
        """
        problem = _tensor_problem(actual, shape, dtype, finite)
        evidence = summary(actual) if record or not isinstance(actual, torch.Tensor) else summary(actual)[:3]
        self._judge(what, problem is None, f"{what} {problem}.", rule, evidence)

    def shape(self, what: str, actual, shape, *, rule="") -> None:
        """`actual` is a tensor of that shape.

        expect.shape("the mask", mask, (T, T))
        """
        self.tensor(what, actual, shape=shape, finite=False, rule=rule)

    def close(self, what: str, actual, expected, *, rule="", dtype=None, record=True) -> None:
        """Equal to a tensor or number up to the tolerance of the dtype (tolerance.py). Floats compare as float64.

        expect.close("out", head(x), weights.head(x, given), rule="Head must compute attention(x Wq, x Wk, x Wv).")
        """
        if not isinstance(expected, torch.Tensor):
            expected = torch.tensor(expected, dtype=torch.float64)
            if isinstance(actual, (int, float)) and not isinstance(actual, bool):
                actual = torch.tensor(actual, dtype=torch.float64)
            elif isinstance(actual, torch.Tensor):
                expected = expected.to(dtype or actual.dtype)
        dtype = dtype or expected.dtype
        problem = _tensor_problem(actual, tuple(expected.shape), dtype, finite=False)
        seen = f"{what} {problem}."
        if problem is None:
            strain, problem = _difference(actual, expected, tolerance.BY_DTYPE.get(dtype, 0.0))
            self._strained(strain)
            seen = _values_seen(what, problem, actual, expected)
        self._judge(what, problem is None, seen, rule, _evidence(actual, record))

    def number(self, what: str, actual, expected: float, *, tol: str, rule="", record=True) -> None:
        """A finite Python float (not a tensor, not a bool) within `tol`, an entry of tolerance.py.

        expect.number("train_loss", row["train_loss"], loss, tol="f32", rule="train_loss must be the mean loss.")
        """
        if not isinstance(actual, float):
            seen = f"{what} is {short(actual)}, should be a Python float, {expected:.6g}."
            self._judge(what, False, seen, rule, ["not a float", type(actual).__name__])
            return
        off = tolerance.off_by(actual, expected, tol)
        self._strained(off)
        is_now, should_be = told_apart(actual, expected)
        self._judge(what, off <= 1, f"{what} is {is_now}, should be {should_be}.", rule, _evidence(actual, record))

    def equal(self, what: str, actual, expected, *, rule="", record=True) -> None:
        """Exactly equal: numbers, strings, bytes, lists (tuples count as lists), dicts, tensors.

        expect.equal("ids", tokenizer.encode("ab"), [0, 1])
        """
        held = _same(actual, expected)
        seen = "" if held else _unequal(what, actual, expected)
        self._judge(what, held, seen, rule, _evidence(actual, record))

    def true(self, what: str, condition, *, rule="", saw="", evidence=None, record=True, strain=0.0) -> None:
        """`condition`, a bool or a bool tensor, holds everywhere; `what` reads as the statement that should be true.

        `saw` says what the submission gave instead. `evidence` is a value for the diagnosis, more telling than held or
        not. `strain`: how near the condition is to its limit, which is 1, if it is a matter of degree.

        expect.true("every pair is a merge", not bad, saw=f"The pair {bad[0]} is in no merge.", evidence=len(bad))
        """
        self._strained(strain)
        held = bool(torch.as_tensor(condition).all())
        self._judge(what, held, saw or f"It does not hold: {what}.", rule, _evidence(evidence, record))

    def need(self, what: str, condition, *, rule="", saw="", evidence=None) -> None:
        """Like `true`, and the item can't go on without it: it ends a diagnosis run, too.

        expect.need("a pair", is_pair, rule="attention must return two tensors, (out, weights).")
        """
        self.true(what, condition, rule=rule, saw=saw, evidence=evidence)
        if not self.record[-1][1]:
            raise Stopped(what)

    def below(self, what: str, number, bound: float, *, rule="", record=True) -> None:
        """A number of at most `bound`.

        expect.below("loss after 200 steps", loss, 2.6)
        """
        held = _is_number(number) and float(number) <= bound
        if _is_number(number) and bound > 0:
            self._strained(float(number) / bound)
        self._judge(
            what, held, f"{what} is {short(number)}, should be at most {bound:g}.", rule, _evidence(number, record)
        )

    def above(self, what: str, number, bound: float, *, rule="", record=True) -> None:
        """A number of at least `bound`.

        expect.above("loss on random tokens", loss, math.log(V) - 0.1, rule="Nobody can predict random tokens.")
        """
        held = _is_number(number) and float(number) >= bound
        if _is_number(number) and bound > 0:
            self._strained(bound / float(number) if float(number) > 0 else math.inf)
        self._judge(
            what, held, f"{what} is {short(number)}, should be at least {bound:g}.", rule, _evidence(number, record)
        )

    def raises(self, what: str, kind: type, function: Callable, *args, rule="", mentions=None, **kwargs) -> None:
        """Calling raises `kind` (or a subclass) in the student's code, with a message that mentions `mentions`.

        expect.raises("too long an input", ValueError, head, x, mentions="block_size")
        """
        try:
            returned = function(*args, **kwargs)
        except StudentError as error:
            if error.kind == "missing":
                raise
            held = kind.__name__ in error.bases
            seen = f"{what}: raised {error}, should raise {kind.__name__}."
            if held and mentions is not None and str(mentions) not in error.message:
                held, seen = False, f"{what}: the {kind.__name__}'s message should mention {mentions!r}: {error}."
            self._judge(what, held, seen, rule, ["raised", error.type])
        else:
            seen = f"{what}: returned {short(returned)}, should raise {kind.__name__}."
            self._judge(what, False, seen, rule, ["returned"])

    def note(self, what: str, value) -> None:
        """Evidence for the diagnosis, never a verdict.

        expect.note("row sums", weights.sum(-1))
        """
        self.record.append([what, True, summary(value)])

    def which_fits(self, value, candidates: Mapping[str, object], *, tol: str = "f64") -> str | None:
        """The name of the first candidate that `value`, a number or a tensor, is close to; None if none is.

        Use it for `saw` and `evidence`: which well-known wrong formula gives this value?

        expect.which_fits(loss, {"the sum, not the mean": total, "the loss in train mode": noisy}, tol="f32")
        """
        return next((name for name, candidate in candidates.items() if is_close(value, candidate, tol)), None)

    def _strained(self, ratio: float) -> None:
        self.strain = max(self.strain, math.inf if math.isnan(ratio) else ratio)

    def _judge(self, what: str, held: bool, seen: str, rule: str, evidence) -> None:
        self.record.append([what, held, evidence])
        if not held and not self.recording:
            raise Wrong(seen, rule)


def is_close(actual, expected, tol: str = "f64") -> bool:
    """Whether two numbers, or two tensors of one shape, are within an entry of tolerance.py."""
    try:
        a, e = torch.as_tensor(actual, dtype=torch.float64), torch.as_tensor(expected, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):  # what the submission gave is neither
        return False
    return a.shape == e.shape and _difference(a, e, tolerance.TOLERANCE[tol])[1] is None


def _evidence(value, record: bool):
    return summary(value) if record else None


def _tensor_problem(actual, shape, dtype, finite) -> str | None:
    if not isinstance(actual, torch.Tensor):
        return f"is {short(actual)}, should be a tensor{f' of shape {tuple(shape)}' if shape is not None else ''}"
    if shape is not None and tuple(actual.shape) != tuple(shape):
        return f"has shape {tuple(actual.shape)}, should be {tuple(shape)}"
    if dtype is not None and actual.dtype != dtype:
        return f"has dtype {plain(actual.dtype)}, should be {plain(dtype)}"
    if finite and actual.is_floating_point() and not bool(torch.isfinite(actual).all()):
        return f"holds {_first_bad(actual)}"
    return None


def _first_bad(actual: torch.Tensor) -> str:
    where = torch.nonzero(~torch.isfinite(actual))[0].tolist()
    return f"{actual[tuple(where)].item()} at {where}"


def _difference(actual: torch.Tensor, expected: torch.Tensor, tolerated: float) -> tuple[float, str | None]:
    """The largest |a - e| / (tolerated * (1 + |e|)) of two tensors of one shape; the place of it, if it exceeds 1."""
    if actual.numel() == 0:
        return 0.0, None
    a, e = actual.to(torch.float64), expected.to(torch.float64)
    equal = a == e  # infinities included
    ratio = torch.where(equal, 0.0, (a - e).abs() / (tolerated * (1 + e.abs())))
    ratio = torch.nan_to_num(ratio, nan=math.inf, posinf=math.inf)
    strain = float(ratio.max())
    if strain <= 1:
        return strain, None
    index = _unravelled(int(ratio.argmax()), ratio.shape)
    place = f" at [{', '.join(map(str, index))}] is" if index else " is"
    count = int((ratio > 1).sum())
    of = f" ({count} of {ratio.numel()} values differ)" if ratio.numel() > 1 else ""
    is_now, should_be = told_apart(a[tuple(index)].item(), e[tuple(index)].item())
    return strain, f"{place} {is_now}, should be {should_be}{of}"


def _unravelled(place: int, shape: torch.Size) -> list[int]:
    """The index of a flat place. (torch.unravel_index would import sympy for it, for seconds of the item's time.)"""
    index: list[int] = []
    for size in reversed(shape):
        place, here = divmod(place, size)
        index.insert(0, here)
    return index


def _values_seen(what: str, problem: str | None, actual: torch.Tensor, expected: torch.Tensor) -> str:
    """The place that differs most and, of a small matrix, all of it."""
    seen = f"{what}{problem}."
    return f"{seen}\n{side_by_side(what, actual, expected)}" if problem and is_small_matrix(expected) else seen


def _unequal(what: str, actual, expected) -> str:
    if not isinstance(expected, torch.Tensor):
        return f"{what} is {short(actual)}, should be {short(expected)}."
    problem = _tensor_problem(actual, expected.shape, expected.dtype, finite=False)
    if problem is not None:
        return f"{what} {problem}."
    if is_small_matrix(expected):
        return side_by_side(what, actual, expected)
    if expected.numel() > 1 and expected.ndim > 1:
        return f"{what}{_difference(actual, expected, 0.0)[1]}."
    return f"{what} is {short(actual)}, should be {short(expected)}."


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
