"""The worked numbers of handout 4 are what its own sibling code and the formulas give."""

import math
import re

import pytest

from tests.milestones.handouts.reading import Handout, printed

HANDOUT = Handout("04_model")


def test_model_example_follows_from_its_rows():
    rows, results = HANDOUT.tables("Model")
    matrix = {cells[0]: [float(cell) for cell in cells[1:]] for cells in rows}
    words = [matrix[f"wte row {v}"] for v in range(3)]
    places = [matrix[f"wpe row {t}"] for t in range(2)]
    scores = HANDOUT.code("Model")["score_words"]([2, 0], words, places)
    for (_, stream, normed, *shown), token, place, row in zip(results, [2, 0], places, scores, strict=True):
        sheet = [w + p for w, p in zip(words[token], place, strict=True)]
        assert [float(cell) for cell in stream.split(",")] == sheet
        middle = sum(sheet) / 2
        width = math.sqrt(sum((s - middle) ** 2 for s in sheet) / 2)
        assert [float(cell) for cell in normed.split(",")] == [(s - middle) / width for s in sheet]
        assert [float(cell) for cell in shown] == row
    best = [row.index(max(row)) for row in scores]
    assert f"Position 0 bets on token {best[0]}, position 1 on token {best[1]}." in HANDOUT.section("Model")


def test_positions_table_and_seats():
    right, wrong = HANDOUT.tables("Positions")[0]
    seats = HANDOUT.code("Positions")["seats"]
    assert [int(cell) for cell in right[1:]] == seats("abc", [0, 1, 2])
    assert [int(cell) for cell in wrong[1:]] == [t + 1 for t in seats("abc", [0, 1, 2])]
    with pytest.raises(ValueError, match="4 guests, 3 seats"):
        seats("abcd", [0, 1, 2])


def test_positions_picture_is_the_lower_triangle():
    lines = re.findall(r"out t=(\d)((?:\s+x)+)\n", HANDOUT.section("Positions"))
    assert [(int(t), moves.count("x")) for t, moves in lines] == [(t, t + 1) for t in range(4)]


def test_tied_head_numbers():
    assert HANDOUT.number("Tied head", "65 · 384 = # ") == 65 * 384
    gpt2 = gpt_parameters(vocab_size=50257, block_size=1024, n_layer=12, width=768)
    assert HANDOUT.number("Tied head", "cost #, nearly") == 50257 * 768
    assert HANDOUT.number("Tied head", "more than the # that") == gpt2
    assert 0.3 < 50257 * 768 / gpt2 < 1 / 3
    (table,) = HANDOUT.tables("Tied head")
    start, copies, shared = ([float(cell) for cell in cells[1:]] for cells in table)
    assert copies == pytest.approx([start[0] + 0.1, start[1] - 0.3])
    assert shared == pytest.approx(2 * [start[0] + 0.1 - 0.3])
    code = HANDOUT.code("Tied head")
    assert code["same_book"][0] == pytest.approx(shared[0])
    assert code["photocopy"] == [start[0]]


def gpt_parameters(vocab_size, block_size, n_layer, width):
    return (vocab_size + block_size) * width + n_layer * (12 * width**2 + 13 * width) + 2 * width


def test_first_loss_table():
    for size, knows_nothing, accepted in HANDOUT.tables("Initialisation")[0]:
        loss = math.log(int(size))
        assert knows_nothing == printed(loss, 4)
        assert accepted == f"{printed(0.9 * loss, 4)} to {printed(1.1 * loss, 4)}"
    assert HANDOUT.number("Initialisation", "s = 0.02 gives #,") == round(0.02 * math.sqrt(384), 2)
    assert HANDOUT.number("Initialisation", "own s = 1 gives #.") == round(math.sqrt(384), 1)


def test_loss_table_and_ignored_target():
    code = HANDOUT.code("Loss")
    scores = [2, 1, 0]
    for target, probability, loss in HANDOUT.tables("Loss")[0]:
        value = code["surprise"](scores, int(target))
        assert (probability, loss) == (printed(math.exp(-value), 4), printed(value, 4))
    events = [0, 1, -1, 2]
    mean = code["mean_surprise"]([scores] * 4, events)
    assert HANDOUT.number("Loss", "/ 3 = #.") == round(mean, 4)
    assert HANDOUT.number("Loss", "dividing by 4 would give #.") == round(mean * 3 / 4, 4)


def test_parameter_table():
    V, S, L, C = 65, 256, 6, 384
    shown = {cells[0]: cells[2] for cells in HANDOUT.tables("Parameters")[0]}
    block = 12 * C**2 + 9 * C + 4 * C
    assert shown == {
        "wte": str(V * C),
        "wpe": str(S * C),
        "one block: matrices": str(12 * C**2),
        "one block: biases": str(9 * C),
        "one block: two norms": str(4 * C),
        "all 6 blocks": str(L * block),
        "ln_f": str(2 * C),
        "head": "0",
        "total": str(gpt_parameters(V, S, L, C)),
    }


def test_shape_table_puts_numbers_for_symbols():
    text = HANDOUT.section("Shapes")
    sizes = {letter: int(number) for letter, number in re.findall(r"\b([A-Z]) = (\d+)", text)}
    sizes["4C"] = 4 * sizes["C"]
    for _, symbols, numbers in HANDOUT.tables("Shapes")[0]:
        expected = [sizes[symbol.strip()] for symbol in symbols.strip("()").split(",")]
        assert [int(number) for number in numbers.split(",")] == expected


@pytest.mark.parametrize("heading", ["Model", "Positions", "Tied head", "Loss"])
def test_central_ideas_have_four_steps(heading):
    text = HANDOUT.section(heading)
    assert [text.count(f"**{step}. ") for step in (1, 2, 3, 4)] == [1, 1, 1, 1]
