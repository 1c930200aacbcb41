"""What graders state is checked completely, whatever a submission returned."""

import pytest
import torch

from autograder.grading.expect import Expect, Stopped, Wrong, is_close
from autograder.grading.student import StudentError

X = torch.arange(6, dtype=torch.float64).reshape(2, 3)


def judge():
    return Expect(recording=False)


def test_equal_tensors_pass_and_the_worst_difference_is_shown():
    judge().close("out", X.clone(), X)
    wrong = X.clone()
    wrong[1, 2] += 1
    with pytest.raises(Wrong, match=r"out at \[1, 2\] is 6, should be 5 \(1 of 6 values differ\)"):
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
    with pytest.raises(Wrong, match=r"loss at \[1\] is 4.3213801, should be 4.32138 "):
        Expect(recording=False).close("loss", actual, expected)
    same = torch.arange(24).reshape(2, 3, 4)
    other = same.clone()
    other[1, 2, 1] = 7
    with pytest.raises(Wrong, match=r"ids at \[1, 2, 1\] is 7, should be 21 \(1 of 24 values differ\)"):
        Expect(recording=False).equal("ids", other, same)


def test_what_was_seen_and_the_rule_are_told_apart():
    with pytest.raises(Wrong) as caught:
        judge().equal("the number of heads", 3, 4, rule="There must be one table for each head.")
    assert caught.value.seen == "the number of heads is 3, should be 4."
    assert caught.value.rule == "There must be one table for each head."
    with pytest.raises(Wrong) as caught:
        judge().true("the ids are a list", False, saw="encode returned a tuple.", rule="encode must return a list.")
    assert (caught.value.seen, caught.value.rule) == ("encode returned a tuple.", "encode must return a list.")
    with pytest.raises(Wrong, match="It does not hold: the ids are a list"):
        judge().true("the ids are a list", False)


def test_small_matrices_are_shown_as_aligned_rows_beside_each_other():
    with pytest.raises(Wrong) as caught:
        judge().equal("causal_mask(2)", torch.tensor([[True, True], [True, True]]), torch.ones(2, 2).tril().bool())
    assert caught.value.seen.splitlines() == [
        "causal_mask(2) is   should be",
        "  True True            True False",
        "  True True            True  True",
    ]


def test_matrices_too_wide_for_two_blocks_stand_one_below_the_other():
    wide = torch.arange(7, dtype=torch.float64).repeat(2, 1) + 1 / 3
    with pytest.raises(Wrong) as caught:
        judge().close("out", wide + 1, wide)
    lines = caught.value.seen.splitlines()
    assert lines[0].startswith("out at [")
    assert [lines[1], lines[4]] == ["out is", "should be"]
    assert len(lines) == 7
    assert max(map(len, lines)) <= 72


def test_a_need_ends_a_diagnosis_run_too():
    recorder = Expect(recording=True)
    recorder.need("a pair", True)
    with pytest.raises(Stopped):
        recorder.need("a list", False, rule="It must be a list.")
    assert [(what, held) for what, held, _ in recorder.record] == [("a pair", True), ("a list", False)]
    with pytest.raises(Wrong):
        judge().need("a list", False)


@pytest.mark.parametrize("value", [1, True, None, "1.0", torch.tensor(1.0), float("nan"), float("inf"), 1.1])
def test_a_number_is_a_finite_python_float_within_the_tolerance(value):
    judge().number("loss", 1.0 + 1e-6, 1.0, tol="f32")
    with pytest.raises(Wrong, match="loss is"):
        judge().number("loss", value, 1.0, tol="f32")


def test_which_fits_names_the_first_candidate_that_the_value_is_close_to():
    candidates = {"right": 2.0, "the sum": 6.0, "per token": torch.tensor([1.0, 2.0])}
    expect = judge()
    assert expect.which_fits(6.0 + 1e-8, candidates, tol="f32") == "the sum"
    assert expect.which_fits(torch.tensor([1.0, 2.0]), candidates) == "per token"
    for nothing in (7.0, None, "text", float("nan"), torch.ones(3), object()):
        assert expect.which_fits(nothing, candidates) is None


def test_close_is_of_one_shape_and_within_the_table():
    assert is_close(X, X + 1e-12)
    assert not is_close(X, X + 1e-6)
    assert is_close(X, X + 1e-6, tol="f32")
    assert not is_close(X, X[0])
    assert not is_close(StudentError, 1.0)
