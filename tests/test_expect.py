"""What graders state is checked completely, whatever a submission returned."""

import pytest
import torch

from autograder.expect import Expect, Wrong

X = torch.arange(6, dtype=torch.float64).reshape(2, 3)


def judge():
    return Expect(recording=False)


def test_equal_tensors_pass_and_the_worst_difference_is_shown():
    judge().close("out", X.clone(), X)
    wrong = X.clone()
    wrong[1, 2] += 1
    with pytest.raises(Wrong, match=r"out\[1, 2\] is 6, should be 5 \(1 of 6 values differ\)"):
        judge().close("out", wrong, X)


@pytest.mark.parametrize(
    "actual",
    [None, 3, [1.0], "text", X.float(), X.T, X[0], X * float("nan"), X + 1e-6, X.to(torch.int64), torch.tensor(1.0)],
    ids=str,
)
def test_anything_else_is_wrong(actual):
    with pytest.raises(Wrong):
        judge().close("out", actual, X)


def test_infinities_equal_only_themselves():
    bound = torch.tensor([1.0, float("-inf")], dtype=torch.float64)
    judge().close("out", bound.clone(), bound)
    with pytest.raises(Wrong):
        judge().close("out", torch.tensor([1.0, -1e30], dtype=torch.float64), bound)


def test_tolerance_follows_the_dtype():
    judge().close("out", X.float() + 1e-6, X.float())
    judge().close("out", X.bfloat16(), X.bfloat16())
    with pytest.raises(Wrong):
        judge().close("out", X + 1e-6, X)


def test_equal_is_exact_about_types():
    judge().equal("ids", [1, 2], (1, 2))
    for actual in (True, 1.0, torch.tensor(1), "1", None):
        with pytest.raises(Wrong):
            judge().equal("n", actual, 1)


def test_nan_is_neither_below_nor_above():
    for check in (judge().below, judge().above):
        with pytest.raises(Wrong):
            check("n", float("nan"), 1.0)
        with pytest.raises(Wrong):
            check("n", True, 1.0)


def test_a_diagnosis_run_records_and_raises_nothing():
    recorder = Expect(recording=True)
    recorder.close("out", X + 1, X)
    recorder.equal("n", 2, 1, record=False)
    recorder.note("seen", float("nan"))
    assert [(what, held) for what, held, _ in recorder.record] == [("out", False), ("n", False), ("seen", True)]
    assert recorder.record[1][2] is None
    assert recorder.record[2][2] == "nan"


def test_as_many_digits_are_shown_as_a_difference_needs():
    actual, expected = torch.tensor([[1.0, 4.3213801], [1.0, 4.32138]], dtype=torch.float64)
    with pytest.raises(Wrong, match=r"loss\[1\] is 4.3213801, should be 4.32138 "):
        Expect(recording=False).close("loss", actual, expected)
    same = torch.arange(12).reshape(3, 4)
    other = same.clone()
    other[2, 1] = 7
    with pytest.raises(Wrong, match=r"ids\[2, 1\] is 7, should be 9 \(1 of 12 values differ\)"):
        Expect(recording=False).equal("ids", other, same)
