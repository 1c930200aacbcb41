"""The worked numbers of handout 6 are what its own sibling code and the formulas give."""

import math

import pytest
import torch

from tests.milestones.handouts.reading import Handout, printed

HANDOUT = Handout("06_training")


def numbers(cells):
    return [float(cell) for cell in cells]


def test_decay_follows_the_number_of_dimensions():
    for _, shape, decayed in HANDOUT.tables("Weight decay")[0]:
        dimensions = len([size for size in shape.strip("()").split(",") if size])
        assert decayed == ("yes" if dimensions >= 2 else "no")
    default = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).defaults["weight_decay"]
    assert HANDOUT.number("Weight decay", "torch's AdamW is #.") == default


def test_adamw_table_is_what_the_code_and_torch_give():
    rows = [numbers(cells) for cells in HANDOUT.tables("AdamW")[0]]
    gradients = [row[1] for row in rows]
    history = HANDOUT.code("AdamW")["two_moments"](1.0, gradients, 0.1, 0.9, 0.95, 0.1)
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = torch.optim.AdamW([weight], lr=0.1, betas=(0.9, 0.95), weight_decay=0.1)
    for row, computed in zip(rows, history, strict=True):
        assert row[2:] == pytest.approx(computed, abs=5e-7)
        weight.grad = torch.full_like(weight, row[1])
        optimizer.step()
        assert row[-1] == pytest.approx(weight.item(), abs=1e-6)


def test_schedule_table():
    max_lr, min_lr, w, end = 0.1, 0.02, 2, 6
    evening = HANDOUT.code("Schedule")["evening"](end - w, max_lr, min_lr)
    for step, *rates in (numbers(cells) for cells in HANDOUT.tables("Schedule")[0]):
        step = int(step)
        if step < w:
            wanted = [max_lr * step / w, max_lr * (step + 1) / w, max_lr * (step + 1) / (w + 1)]
        else:
            wanted = 3 * [evening[min(step, end) - w]]
        assert rates == pytest.approx(wanted, abs=5e-7)
    assert evening[2] == pytest.approx((max_lr + min_lr) / 2)


def test_accumulation_table():
    samples = [1, 2, 6]
    big, undivided, divided = HANDOUT.tables("Accumulation")[0]
    mean = -HANDOUT.code("Accumulation")["poll"]([[x] for x in samples])
    assert [float(big[1]), float(big[2])] == pytest.approx([mean, mean])
    assert numbers(undivided[1].split(",")) == [-x for x in samples]
    assert float(undivided[2]) == -sum(samples) == pytest.approx(3 * mean)
    assert numbers(divided[1].split(",")) == pytest.approx([-x / 3 for x in samples], abs=5e-5)
    assert float(divided[2]) == pytest.approx(mean)


def test_clipping_table():
    table = {cells[0]: [numbers(cell.split(",")) for cell in cells[1:3]] for cells in HANDOUT.tables("Clipping")[0]}
    before, bound = table["before"], 1.5
    leash = HANDOUT.code("Clipping")["leash"]
    assert math.sqrt(sum(x * x for leg in before for x in leg)) == 3
    assert table["by the global norm"] == leash(before, bound)
    assert leash(before, 4.0) == before
    for shown, leg in zip(table["each parameter by its own norm"], before, strict=True):
        assert shown == pytest.approx(leash([leg], bound)[0], abs=5e-5)
    assert table["each number by itself"] == [[min(x, bound) for x in leg] for leg in before]


def test_bfloat16_numbers():
    after_one = 1 + torch.finfo(torch.bfloat16).eps
    assert HANDOUT.number("bfloat16", "after 1 is #, so") == after_one
    moved = {}
    for dtype in (torch.bfloat16, torch.float32):
        weight = torch.ones(1, dtype=dtype)
        for _ in range(100):
            weight += 0.001
        moved[dtype] = weight.item()
    assert moved[torch.bfloat16] == 1
    assert HANDOUT.number("bfloat16", "float32 gives #.") == round(moved[torch.float32], 4)


def test_loop_rows_and_tokens():
    rows = HANDOUT.tables("The loop")[0]
    assert [int(cells[0]) for cells in rows] == [step for step in range(1, 8) if step % 3 == 0 or step == 7]
    assert [int(cells[2].rpartition(" ")[2]) for cells in rows] == [int(cells[0]) - 1 for cells in rows]
    assert HANDOUT.number("The loop", "an update sees # tokens") == 4 * 5 * 3
    assert HANDOUT.number("The loop", "the last row has #.") == 7 * 4 * 5 * 3


def test_ignorance_is_ln_65():
    assert f"ln 65 = {printed(math.log(65), 2)}" in HANDOUT.section("When it diverges")


def test_sledge_table():
    rows = [numbers(cells) for cells in HANDOUT.tables("Resuming")[0]]
    sledge = HANDOUT.code("Resuming")["sledge"]
    pushes = [row[1] for row in rows]
    whole = sledge(pushes)
    broken = sledge(pushes[:2])
    broken += sledge(pushes[2:], place=broken[-1][0])
    for row, (place, speed), (place_then, speed_then) in zip(rows, whole, broken, strict=True):
        assert row[2:] == [speed, place, speed_then, place_then]
    ends = (broken[-1][0], whole[-1][0])
    assert "ends at {:g} instead of {:g}".format(*ends) in HANDOUT.section("Resuming")
    assert sledge(pushes[2:], *whole[1]) == whole[2:]


@pytest.mark.parametrize("heading", ["AdamW", "Schedule", "Accumulation", "Clipping", "Resuming"])
def test_central_ideas_have_four_steps(heading):
    text = HANDOUT.section(heading)
    assert [text.count(f"**{step}. ") for step in (1, 2, 3, 4)] == [1, 1, 1, 1]
