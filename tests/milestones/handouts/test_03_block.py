"""The worked numbers of handout 3 are what its own sibling code and the formulas give."""

import math

import pytest

from tests.milestones.handouts.reading import Handout, printed

HANDOUT = Handout("03_block")
EPS = 1e-5
TOKEN = [1.0, 3.0, 5.0, 7.0]


def row(table, name):
    return next(cells[1:] for cells in table if cells[0] == name)


def gelu_erf(u):
    return u * (1 + math.erf(u / math.sqrt(2))) / 2


def test_layer_norm_table_follows_from_its_first_row():
    (table,) = HANDOUT.tables("LayerNorm")
    x = [float(cell) for cell in row(table, "x")]
    assert x == TOKEN
    mean = sum(x) / 4
    assert row(table, "x - mean") == [printed(value - mean, 0) for value in x]
    assert row(table, "squared") == [printed((value - mean) ** 2, 0) for value in x]
    restate = HANDOUT.code("LayerNorm")["restate"]
    assert row(table, "normalised") == [printed(value, 4) for value in restate(x, EPS)]


def test_layer_norm_text():
    assert HANDOUT.number("LayerNorm", "The mean is #.") == sum(TOKEN) / 4
    squares = [(value - 4) ** 2 for value in TOKEN]
    assert HANDOUT.number("LayerNorm", "/ 4 = #:") == sum(squares) / 4
    assert HANDOUT.number("LayerNorm", "gives a variance of #") == round(sum(squares) / 3, 4)
    assert HANDOUT.number("LayerNorm", "ends at # where") == round(3 / math.sqrt(sum(squares) / 3 + EPS), 4)
    feature = HANDOUT.number("LayerNorm", "a feature at # becomes")
    variance = HANDOUT.number("LayerNorm", "a token whose variance is #,")
    assert HANDOUT.number("LayerNorm", "becomes # with") == round(feature / math.sqrt(variance + EPS), 4)
    assert HANDOUT.number("LayerNorm", "but # if you add") == round(feature / (math.sqrt(variance) + EPS), 4)


def test_gelu_table():
    soft_gate = HANDOUT.code("Feed-forward")["soft_gate"]
    for u, tanh_form, erf_form, relu in HANDOUT.tables("Feed-forward")[0]:
        value = float(u)
        assert (tanh_form, erf_form) == (printed(soft_gate(value), 6), printed(gelu_erf(value), 6)), u
        assert float(relu) == max(0.0, value)


def test_bend_table():
    code = HANDOUT.code("Feed-forward")
    results = {}
    for given, up, down, result in HANDOUT.tables("Feed-forward")[1]:
        value = float(given)
        assert up == printed(code["soft_gate"](value), 6)
        assert down == printed(code["soft_gate"](-value) + 0.0, 6)  # + 0.0 makes -0.0 a plain zero
        results[value] = code["desk"](value, [1, -1], [1, 1])
        assert result == printed(results[value], 6)
    assert HANDOUT.number("Feed-forward", "f(1) + f(-1) is #,") == round(results[1.0] + results[-1.0], 6)
    assert results[0.0] == 0


def test_residual_table_is_what_the_clerks_do():
    (table,) = HANDOUT.tables("Residual")
    notes = [0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0]
    pass_along = HANDOUT.code("Residual")["pass_along"]
    clerks = [lambda document, note=note: note for note in notes]
    assert [float(cell) for cell in row(table, "x")] == TOKEN
    assert [float(cell) for cell in row(table, "+ attention")] == pass_along(TOKEN, clerks[:1])
    assert [float(cell) for cell in row(table, "+ feed-forward")] == pass_along(TOKEN, clerks)
    normed = ", ".join(printed(value, 4) for value in HANDOUT.code("LayerNorm")["restate"](TOKEN, EPS))
    assert f"returns {normed}" in HANDOUT.section("Residual")


def test_block_table():
    normed = HANDOUT.code("LayerNorm")["restate"](TOKEN, EPS)
    (table,) = HANDOUT.tables("Block")
    expected = [[printed(x, 0), printed(n, 4), printed(x + n, 4)] for x, n in zip(TOKEN, normed, strict=True)]
    assert table == expected


def test_gradient_table():
    (table,) = HANDOUT.tables("Gradients")
    for blocks, without, with_residual in table:
        assert without == f"{0.1 ** int(blocks):.0e}"
        assert with_residual == printed(1.1 ** int(blocks), 2)


def test_dropout_example_keeps_and_scales():
    text = HANDOUT.section("Dropout")
    assert "2, 4, 6, 8 may become 4, 0, 0, 16" in text.replace("\n", " ")
    assert [kept / 0.5 for kept in (2, 8)] == [4, 16]


@pytest.mark.parametrize("heading", ["LayerNorm", "Feed-forward", "Residual"])
def test_central_ideas_have_four_steps(heading):
    text = HANDOUT.section(heading)
    assert [text.count(f"**{step}. ") for step in (1, 2, 3, 4)] == [1, 1, 1, 1]
