"""Public tests of rung 8: numbers that you can check by hand, and one tiny study. The graders ask more."""

import json
import math

import pytest
import torch

from model.transformer import GPT, GPTConfig
from train.loop import TrainConfig
from train.scaling import count_parameters, fit_power_law, flops_per_token, measure_throughput, run_scaling_study

TINY = GPTConfig(block_size=8, vocab_size=65, n_layer=3, n_head=4, n_embd=32, dropout=0.0)


@pytest.mark.parametrize("config", [TINY, GPTConfig(block_size=5, vocab_size=11, n_layer=1, n_head=3, n_embd=12)])
def test_count_is_that_of_your_own_model(config):
    counted, there = count_parameters(config), GPT(config).num_parameters()
    assert counted == there, f"{config}: your formula says {counted}, your model has {there}"


def test_flops_of_the_handout():
    weights = GPT(TINY).num_parameters() - 8 * 32
    flops = flops_per_token(TINY)
    assert flops != 6 * weights, "the attention scores cost something, too: 12 n_layer n_embd block_size"
    assert flops == 6 * weights + 12 * 3 * 32 * 8, f"6 N + 12 n_layer n_embd block_size, N without wpe; got {flops}"


class Device:
    """Queues its work; the work's time passes when somebody waits."""

    def __init__(self):
        self.now, self.queued, self.calls = 100.0, 0.0, 0

    def step(self):
        self.calls += 1
        self.now += 0.01
        self.queued += 8.0 if self.calls <= 2 else 0.25  # the first two are slow

    def synchronize(self):
        self.now, self.queued = self.now + self.queued, 0.0


def test_throughput_of_the_handout():
    device = Device()
    speed = measure_throughput(
        device.step,
        tokens_per_step=768,
        warmup=2,
        steps=4,
        clock=lambda: device.now,
        synchronize=device.synchronize,
    )
    assert device.calls == 6, f"2 steps of warm-up and 4 measured ones; step was called {device.calls} times"
    assert speed < 10_000, f"{speed:.0f} tokens/s: the clock was read before the device had finished"
    assert speed > 1_000, f"{speed:.0f} tokens/s: the warm-up is in it, or batches were counted"
    assert speed == pytest.approx(4 * 768 / (4 * 0.26)), "4 steps of 768 tokens took 4 times 0.26 s"


def test_exact_power_law_comes_back():
    exponent, coefficient, interval = fit_power_law([10, 100, 1000], [3 * n**-0.5 for n in (10, 100, 1000)])
    assert exponent == pytest.approx(-0.5, abs=1e-4), "y falls with x, so the exponent is negative"
    assert coefficient == pytest.approx(3, abs=1e-3), "the coefficient is exp of the intercept"
    assert interval is None, "three points are too few for an interval"


def test_fit_of_the_handout():
    sizes, losses = [2e4, 5e4, 1e5, 3e5, 1e6], [2.45, 2.26, 2.13, 1.93, 1.80]
    exponent, coefficient, interval = fit_power_law(sizes, losses)
    assert exponent == pytest.approx(-0.0800, abs=1e-4), "the least-squares line through the logarithms"
    assert coefficient == pytest.approx(5.3741, abs=1e-2), "the coefficient is exp of the intercept"
    assert interval is not None, "five points have an interval"
    low, high = interval
    assert low < exponent < high, f"the interval {low:.4f} to {high:.4f} should hold the exponent"


def test_study_of_three_sizes(tmp_path):
    ids = torch.arange(2000) % 7
    sizes = [GPTConfig(block_size=8, vocab_size=7, n_layer=1, n_head=1, n_embd=C, dropout=0.0) for C in (4, 8, 16)]
    config = TrainConfig(
        steps=6,
        batch_size=4,
        block_size=8,
        warmup_steps=1,
        eval_interval=3,
        eval_batches=2,
        device="cpu",
        out_dir=str(tmp_path / "elsewhere"),
    )
    study = run_scaling_study(sizes, ids[:1600], ids[1600:], config, tmp_path / "study")
    assert [entry["parameters"] for entry in study["sizes"]] == [GPT(size).num_parameters() for size in sizes]
    for entry in study["sizes"]:
        assert entry["tokens"] == 6 * 4 * 8, "steps · batch_size · block_size tokens for each size"
        assert 0 < entry["val_loss"] < 2 * math.log(7), f"val_loss {entry['val_loss']} is out of range"
        assert len(entry["sample"]) >= 100, "a sample of 100 tokens or more"
    assert json.loads((tmp_path / "study" / "study.json").read_text())["fit"]["interval"] is None
    report = (tmp_path / "study" / "report.md").read_text()
    assert report.count("|") > 12, "report.md compares the sizes in a table"
