"""The worked numbers of handout 7 are what its own code and the formulas give."""

import math
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[3]
HANDOUT = (ROOT / "milestones/07_sampling/handout.md").read_text(encoding="utf-8")
INF = float("inf")


def section(heading):
    """The text under a heading of level 2."""
    return re.split(r"^## ", HANDOUT.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(text):
    """The first table's rows below the header: {first cell: the other cells}."""
    first = re.search(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in first.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def column(rows, number):
    return torch.tensor([float(cells[number]) for cells in rows.values()], dtype=torch.float64)


def code(name):
    """The handout's Python blocks, executed; returns the named function or class."""
    space = {}
    for block in re.findall(r"```python\n(.*?)```", HANDOUT, flags=re.DOTALL):
        exec(block, space)
    return space[name]


def picture(heading):
    """The lines of the section's first fenced block that is neither code nor a diagram."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", section(heading), flags=re.DOTALL | re.MULTILINE)
    return next(body for language, body in blocks if not language).splitlines()


def printed_as(expected, shown, digits=3):
    expected, shown = torch.as_tensor(expected, dtype=torch.float64), torch.as_tensor(shown, dtype=torch.float64)
    return expected.shape == shown.shape and bool(((expected - shown).abs() <= 0.5 * 10**-digits + 1e-12).all())


FIVE = table(section("The idea"))
WORDS = list(FIVE)
LOGITS = column(FIVE, 0)
CHANCES = dict(zip(WORDS, LOGITS.softmax(0).tolist(), strict=True))


def in_order(chances):
    return [chances[word] for word in WORDS]


def test_the_five_tokens():
    assert printed_as(LOGITS.softmax(0), column(FIVE, 1))


def test_temperatures_by_formula_by_code_and_as_bars():
    rows = table(section("Temperature"))
    assert list(rows) == WORDS
    contrast = code("contrast")
    for number, temperature in enumerate((0.5, 1, 2)):
        exact = (LOGITS / temperature).softmax(0)
        assert printed_as(exact, column(rows, number))
        assert in_order(contrast(CHANCES, temperature)) == pytest.approx(exact.tolist())
    header, *bars = picture("Temperature")
    starts = [match.start() for match in re.finditer("T =", header)]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], 200], strict=True)):
        lengths = [line[start:end].count("#") for line in bars]
        shown = column(rows, number)
        assert all(abs(n - 50 * share) <= 0.5 + 1e-9 for n, share in zip(lengths, shown.tolist(), strict=True)), lengths


def test_top_k_and_the_fill_of_zero():
    rows = table(section("Top-k"))
    kept = LOGITS.clone()
    kept[2:] = -INF
    assert printed_as(kept.softmax(0), column(rows, 0))
    short = code("shortlist")(CHANCES, 2)
    assert [short.get(word, 0.0) for word in WORDS] == pytest.approx(kept.softmax(0).tolist())
    kept[2:] = 0.0
    assert printed_as(kept.softmax(0), column(rows, 1))
    assert column(rows, 1)[3] > CHANCES["cat"], "the text says that cat has become more likely"
    given, cut = (re.findall(r"-inf|-?\d+\.\d", line) for line in picture("Top-k"))
    logits = torch.tensor([float(n) for n in given])
    expected = logits.masked_fill(logits < logits.topk(2).values[-1], -INF)
    assert [float(n) for n in cut] == expected.tolist()


def test_top_p_table_code_and_picture():
    rows = table(section("Top-p"))
    probabilities = LOGITS.softmax(0)
    assert printed_as(probabilities, column(rows, 0))
    assert printed_as(probabilities.cumsum(0), column(rows, 1))
    assert printed_as(probabilities.cumsum(0) - probabilities, column(rows, 2))
    packed = code("pack")(CHANCES, 0.9)
    assert [cells[3] == "yes" for cells in rows.values()] == [word in packed for word in WORDS]
    assert code("pack")(CHANCES, 0.0) == ["sat"], "one token always stays"
    _, shown, order, stays, back = (line.split() for line in picture("Top-p"))
    shown = torch.tensor([float(n) for n in shown[1:]])
    order = [int(n) for n in order[1:6]]
    assert order == shown.argsort(descending=True).tolist()
    sums = shown[order].cumsum(0) - shown[order]
    answers = [bool(before < 0.9) for before in sums]
    assert [word == "yes" for word in stays[1:6]] == answers
    assert [word == "yes" for word in back[3:8]] == [answers[order.index(token)] for token in range(5)]


def test_repetition_penalty_table_and_the_wrong_rule():
    rows = table(section("Repetition"))
    lowered = code("mark_down")(dict(zip(WORDS, LOGITS.tolist(), strict=True)), ["cat", "sat", "cat"], 2)
    assert column(rows, 1).tolist() == in_order(lowered)
    assert printed_as(column(rows, 1).softmax(0), column(rows, 2))
    wrong = column(rows, 1)
    wrong[3] = -0.25
    claim = re.search(r"`cat` would go from ([\d.]+) to ([\d.]+)", section("Repetition"))
    assert printed_as([CHANCES["cat"], wrong.softmax(0)[3]], [float(n) for n in claim.groups()])


def test_the_loop_appends():
    text = code("babble")({"a": {"b": 1.0}, "b": {"a": 1.0}}, ["a"], 4)
    assert text == ["a", "b", "a", "b", "a"]


def test_context_picture_shows_the_last_ids():
    lines = picture("Context")
    block_size = int(lines[0].split("=")[1])
    ids, seen, kept = (re.findall(r"\b\d\b", line) for line in lines[1:4])
    assert seen == ids[-block_size:]
    assert kept == ids


def test_order_of_temperature_and_top_p_changes_the_nucleus():
    text = " ".join(section("Order").split())
    shown = re.search(r"the running sums are ([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+), so four tokens stay", text)
    sums = (LOGITS / 2).softmax(0).cumsum(0)
    assert printed_as(sums[:4], [float(n) for n in shown.groups()])
    assert int((sums - (LOGITS / 2).softmax(0) < 0.9).sum()) == 4
    assert len(code("pack")(CHANCES, 0.9)) == 3


def test_stop_picture_repeats_the_stop_token():
    header, *rows = picture("Stopping")
    stop = re.search(r"stop token (\d)", header)[1]
    ids = [line.split()[2:] for line in rows]
    assert any(stop in row for row in ids)
    assert any(stop not in row for row in ids)
    for row in ids:
        if stop in row:
            assert set(row[row.index(stop) :]) == {stop}


def test_countdown_is_lazy():
    numbers = code("countdown")(10**12)
    assert [next(numbers), next(numbers)] == [10**12, 10**12 - 1]


def test_beams_of_two_steps():
    rows = table(section("Beam search"))
    first = {step: float(cells[0]) for step, cells in rows.items()}
    second = {step: (cells[1], float(cells[2])) for step, cells in rows.items()}
    for step, cells in rows.items():
        assert printed_as(first[step] * second[step][1], float(cells[3]), 2)

    def forks(route):
        if not route:
            return first
        token, p = second[route[-1]]
        return {token: p, **{other: (1 - p) / 2 for other in first if other != token}}

    best_routes = code("best_routes")
    assert best_routes(forks, 2, 1) == pytest.approx({"ab": 0.2})
    assert next(iter(best_routes(forks, 2, 2).items())) == ("bc", pytest.approx(0.36))
    shown = [float(n) for n in re.findall(r"\d\.\d+", "".join(picture("Beam search")))]
    assert shown == [*first.values(), 0.2, 0.36]


def test_positions_with_and_without_a_cache():
    text = " ".join(section("Cache").split())
    prompt, new = (int(n) for n in re.search(r"A prompt of (\d+) and (\d+) new tokens", text).groups())
    total = int(re.search(r"positions, (\d+) in all", text)[1])
    assert total == sum(range(prompt, prompt + new))
    assert f"{prompt}, {prompt + 1}, {prompt + 2}, ... {prompt + new - 1}" in text
    assert f"nobody asks about: {prompt + new - 1}." in text
    running = code("RunningMean")()
    running.add([1.0, 5.0, 3.0])
    assert running.add([7.0]) == 4.0


def test_mask_picture_is_the_last_rows():
    rows = [line.split()[2:] for line in picture("Cache")[1:]]
    shown = [[cell == "x" for cell in row if cell != "|"] for row in rows]
    assert shown == torch.ones(5, 5, dtype=torch.bool).tril()[-2:].tolist()


def test_a_near_tie_is_not_a_tie():
    """The text: dividing by 0.00001 is not the limit, two logits that differ by 0.000001 would still share."""
    shares = (torch.tensor([2.0, 2.000001], dtype=torch.float64) / 0.00001).softmax(0)
    assert shares.min() > 0.4
    assert math.exp(0) == 1
