"""The worked numbers of handout 8 are what its formulas, its own code and its five points give."""

import math
import re
from pathlib import Path

import pytest

from tests.milestones.handouts.reading import under

ROOT = Path(__file__).resolve().parents[3]
HANDOUT = (ROOT / "milestones/08_scaling/handout.md").read_text(encoding="utf-8")

V, BLOCK_SIZE, N_LAYER, C = 65, 8, 3, 32


def section(heading):
    return under(HANDOUT, heading)


def rows(text):
    """Cells of all table rows that are no header and no rule, tables one after the other."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {number for number, row in enumerate(cells) if set("".join(row)) <= set("-:")}
    return [row for number, row in enumerate(cells) if number not in rules and number + 1 not in rules]


def column(heading, index=-1):
    """First cell -> number in another column."""
    return {row[0]: float(row[index]) for row in rows(section(heading))}


def code(name):
    space = {}
    for block in re.findall(r"```python\n(.*?)```", HANDOUT, flags=re.DOTALL):
        exec(block, space)
    return space[name]


def shown_as(expected, shown, digits):
    return abs(expected - shown) <= 0.5 * 10**-digits + 1e-12


def test_parameters_are_those_of_the_listed_shapes():
    listed = column("Parameters")
    size_of = code("size_of")
    shapes = list(code("shapes_of_one_block")(C))
    matrices = sum(size_of(shape) for _, shape in shapes if len(shape) == 2)
    norms = sum(size_of(shape) for name, shape in shapes if name.startswith("norm"))
    biases = sum(size_of(shape) for name, shape in shapes if name.endswith("bias"))
    block = sum(size_of(shape) for _, shape in shapes)
    assert [listed[name] for name in ("token embedding", "position embedding")] == [V * C, BLOCK_SIZE * C]
    assert listed["matrices of one block"] == matrices == 12 * C**2
    assert listed["biases of one block"] == biases == 9 * C
    assert listed["norms of one block"] == norms == 4 * C
    assert listed["all blocks"] == N_LAYER * block
    assert listed["last norm"] == 2 * C
    parts = ("token embedding", "position embedding", "all blocks", "last norm")
    assert listed["the whole model"] == sum(listed[name] for name in parts)


def test_flops_follow_from_the_parameters():
    listed = column("FLOPs")
    assert listed["all parameters"] == column("Parameters")["the whole model"]
    weights = listed["all parameters"] - BLOCK_SIZE * C
    assert listed["N, without the position embedding"] == weights
    assert listed["6·N"] == 6 * weights
    assert listed["12·3·32·8"] == 12 * N_LAYER * C * BLOCK_SIZE
    assert listed["FLOPs per token"] == 6 * weights + 12 * N_LAYER * C * BLOCK_SIZE
    assert 12 * N_LAYER * C * 1024 > 6 * weights, "the claim about block_size = 1024"


def test_throughput_example():
    numbers = re.search(
        r"four measured steps of (\d+) tokens and ([\d.]+) s of work for each, the honest answer is (\d+) tokens per"
        r" second\. If `step\(\)` returns after ([\d.]+) s, the clock without the second `synchronize\(\)` says (\d+)",
        re.sub(r"\s+", " ", section("Throughput")),
    )
    tokens, work, honest, launch, hasty = map(float, numbers.groups())
    assert honest == 4 * tokens / (4 * work)
    assert hasty == pytest.approx(4 * tokens / (4 * launch))
    assert hasty / honest == pytest.approx(25)


def test_clock_that_is_moved_by_hand():
    clock = code("HandMovedClock")()
    before = clock.read()
    clock.work(0.5)
    assert clock.read() - before == 0.5
    assert clock.diary == ["read 100", "work", "read 100.5"]


POINTS = [[float(cell) for cell in row] for row in rows(section("Power law")) if len(row) == 4]
U, LOG_LOSS = ([math.log(row[index]) for row in POINTS] for index in (0, 1))
MEAN_U, MEAN_V = sum(U) / len(U), sum(LOG_LOSS) / len(LOG_LOSS)
SPREAD = sum((u - MEAN_U) ** 2 for u in U)
PRODUCTS = sum((u - MEAN_U) * (v - MEAN_V) for u, v in zip(U, LOG_LOSS, strict=True))
EXPONENT = PRODUCTS / SPREAD
INTERCEPT = MEAN_V - EXPONENT * MEAN_U


def test_power_law_table():
    assert len(POINTS) == 5
    for row, u, v in zip(POINTS, U, LOG_LOSS, strict=True):
        assert shown_as(u, row[2], 4)
        assert shown_as(v, row[3], 4)
    shown = {row[0]: float(row[1]) for row in rows(section("Power law")) if len(row) == 2}
    expected = {
        "mean of ln parameters": MEAN_U,
        "mean of ln val loss": MEAN_V,
        "sum of squared deviations of ln parameters": SPREAD,
        "sum of products of both deviations": PRODUCTS,
        "exponent": EXPONENT,
        "coefficient": math.exp(INTERCEPT),
    }
    assert shown.keys() == expected.keys()
    assert all(shown_as(expected[name], shown[name], 4) for name in expected)
    assert "2^-0.08 = 0.946" in section("Power law")
    assert shown_as(2**EXPONENT, 0.946, 3)


def test_sibling_code_gives_the_same_exponent():
    slope = code("average_of_pairwise_slopes")([row[0] for row in POINTS], [row[1] for row in POINTS])
    assert slope == pytest.approx(EXPONENT, rel=1e-12)


def test_interval_table_and_what_it_predicts():
    shown = column("Interval", 1)
    squares = sum((v - INTERCEPT - EXPONENT * u) ** 2 for u, v in zip(U, LOG_LOSS, strict=True))
    error = math.sqrt(squares / 3 / SPREAD)
    assert shown_as(squares, shown["sum of squared misses"], 6)
    assert shown_as(error, shown["standard error of the exponent"], 5)
    quantile = 3.182446  # Student's t, 3 degrees of freedom, 97.5 %
    assert shown_as(quantile, shown["t quantile, 3 degrees of freedom"], 3)
    low, high = EXPONENT - quantile * error, EXPONENT + quantile * error
    assert shown_as(low, shown["lower end"], 4)
    assert shown_as(high, shown["upper end"], 4)
    far = math.log(100 * POINTS[-1][0]) - MEAN_U
    predicted = re.search(r"predict losses of (\d\.\d+) and (\d\.\d+)", section("Interval")).groups()
    assert [f"{math.exp(MEAN_V + end * far):.2f}" for end in (low, high)] == list(predicted)


def test_normal_quantile_keeps_85_percent_with_3_degrees_of_freedom():
    # The distribution function of Student's t with 3 degrees of freedom in closed form.
    t = 1.96
    inside = 2 / math.pi * (t / math.sqrt(3) / (1 + t * t / 3) + math.atan(t / math.sqrt(3)))
    assert 0.85 <= inside < 0.86


def test_sample_scores():
    words = re.search(r"`(to be or not [a-z ]+)`", section("Samples"))[1].split()
    assert len(words) == 14
    for row, n in zip(rows(section("Samples")), (2, 4), strict=True):
        grams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
        assert [int(row[1]), int(row[2])] == [len(grams), len(set(grams))]
        share = len(set(grams)) / len(grams)
        name, value = row[3].split(" = ")
        assert shown_as({"distinct-2": share, "repetition": 1 - share}[name], float(value), 3)
