"""The worked numbers of handout 2 are what its own steps, its own code and the formula give."""

import math
import re
from pathlib import Path

import pytest
import torch

from tests.milestones.handouts.reading import under

ROOT = Path(__file__).resolve().parents[3]
HANDOUT = (ROOT / "milestones/02_attention/handout.md").read_text(encoding="utf-8")


def section(heading):
    return under(HANDOUT, heading)


def table(text):
    """The cells below the header of the first table: rows of strings, without the first column."""
    first = re.search(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in first.splitlines()[2:]]


def numbers(rows):
    return torch.tensor([[float(n) for cell in row for n in cell.split(",")] for row in rows], dtype=torch.float64)


def step_text(number):
    return section(re.search(rf"### (Step {number}: .*)", HANDOUT)[1])


def step(number):
    return numbers(table(step_text(number)))


def code(*names):
    """The handout's Python blocks, executed; returns the named functions."""
    space = {}
    for block in re.findall(r"```python\n(.*?)```", HANDOUT, flags=re.DOTALL):
        exec(block, space)
    return [space[name] for name in names]


VALUES = numbers(table(section("Average")))
QUERIES = numbers([[row[0]] for row in table(section("Scores"))])
KEYS = numbers([[row[1]] for row in table(section("Scores"))])
LOWER = torch.ones(3, 3, dtype=torch.float64).tril()


def printed_as(expected, shown, digits):
    return shown.shape == expected.shape and bool(((expected - shown).abs() <= 0.5 * 10**-digits + 1e-12).all())


def test_steps_1_and_2_are_the_causal_average():
    weights = LOWER / LOWER.sum(dim=1, keepdim=True)
    assert printed_as(weights @ VALUES, step(1), 3)
    assert printed_as(weights, step(2), 3)


def test_steps_3_to_8_are_attention_by_hand():
    scores = QUERIES @ KEYS.T
    assert torch.equal(step(3), scores)
    scaled = scores / math.sqrt(QUERIES.shape[1])
    assert torch.equal(step(4), scaled)
    hidden = scaled.masked_fill(LOWER == 0, -math.inf)
    assert torch.equal(step(5), hidden)
    assert printed_as(hidden.exp(), step(6), 3)
    assert printed_as(hidden.softmax(dim=1), step(7), 3)
    assert printed_as(hidden.softmax(dim=1) @ VALUES, step(8), 3)


def test_numbers_in_the_text_are_those_of_the_tables():
    sums = step(5).exp().sum(dim=1)
    shown = re.search(r"The sums are ([\d.]+), ([\d.]+) and ([\d.]+)\.", HANDOUT).groups()
    assert printed_as(sums, torch.tensor([float(n) for n in shown], dtype=torch.float64), 3)
    row = re.search(r"Row 2 takes ([\d.]+) of \(2, 0\), ([\d.]+) of \(0, 4\) and ([\d.]+) of \(6, 2\)", HANDOUT)
    assert [float(n) for n in row.groups()] == step(7)[2].tolist()
    assert "2·2 + 0·0 + 0·0 + 2·1 = 6" in HANDOUT
    assert step(3)[2, 2] == 6


@pytest.mark.parametrize("t", [0, 1, 2])
def test_sibling_code_gives_step_7_and_step_8(t):
    (look_back,) = code("look_back")
    mixture, shares = look_back(t, QUERIES.tolist(), KEYS.tolist(), VALUES.tolist())
    assert printed_as(torch.tensor(mixture, dtype=torch.float64), step(8)[t], 3)
    assert printed_as(torch.tensor(list(shares.values()), dtype=torch.float64), step(7)[t, : t + 1], 3)


def test_measured_variance_is_what_its_code_measures():
    (spread_and_winner,) = code("spread_and_winner")
    lines = [line for line in step_text(4).splitlines() if re.match(r"\| \d+ \| [\d.]+ \| \d+ \|", line)]
    assert len(lines) == 4
    for line in lines:
        D, spread, root, unscaled, scaled = (float(cell) for cell in line.strip("|").split("|"))
        assert math.sqrt(D) == root
        assert [f"{n:.2f}" for n in spread_and_winner(int(D))] == [f"{n:.2f}" for n in (spread, unscaled, scaled)]


def pictured(name):
    """The two heads of a picture in "Many heads", as lists of rows of entries."""
    lines = section("Many heads").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(name))
    rows = [re.findall(r"\b\d\d\b", line.split("|", 1)[-1] if "|" in line else line) for line in lines[first:]][:3]
    return [[row[-4:-2] for row in rows], [row[-2:] for row in rows]]


def test_pictures_of_the_heads_show_the_right_cut_and_the_wrong_one():
    x = [[f"{t}{c}" for c in range(4)] for t in range(3)]
    index = torch.tensor([[int(entry) for entry in row] for row in x])
    cut_channels, side_by_side = code("cut_channels", "side_by_side")
    assert pictured("x ") == cut_channels(x, 2)
    assert side_by_side(cut_channels(x, 2)) == x
    wrong = [[[f"{n:02d}" for n in row] for row in head] for head in index.reshape(2, 3, 2).tolist()]
    assert pictured("wrong") == wrong


def test_picture_of_the_mask_is_lower_triangular():
    rows = re.findall(r"^(?:asking:)?\s+(?:the|cat|sat) +((?:True|False).*)$", step_text(5), flags=re.MULTILINE)
    assert [[word == "True" for word in row.split()] for row in rows] == (LOWER == 1).tolist()


def test_masked_softmax_pitfalls_are_true():
    scores = step(4)
    filled_with_zero = scores.masked_fill(LOWER == 0, 0.0)
    assert filled_with_zero.softmax(dim=1)[0, 2] > 0.2, "a score of 0 is not hidden"
    late = scores.softmax(dim=1) * LOWER
    assert (late.sum(dim=1)[:2] < 0.9).all(), "masking after the softmax: rows do not add up to 1"
