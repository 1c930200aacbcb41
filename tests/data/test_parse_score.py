"""The benchmark that compares a tiny transformer with a bigram runs, and raises the alarm below the floor."""

import importlib.util
import sys
from pathlib import Path

import pytest

from data import embedded
from data.embedded.generator import generate
from data.embedded.reader import Realised

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "parse_score.py"


@pytest.fixture
def benchmark(monkeypatch):
    """The benchmark as a module, on a small text; the reference's packages are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("parse_score", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(embedded, "splits", lambda: (generate(1, 40), generate(2, 2)))
    monkeypatch.setattr(module, "BLOCK_SIZE", 16)
    monkeypatch.setattr(module, "SAMPLE_LENGTH", 50)
    yield module
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("model", "tokenizer", "train", "sample"):
            del sys.modules[name]


def test_it_prints_both_models_and_the_floor(benchmark, capsys):
    benchmark.main(steps=2)
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line}
    assert float(rows["bigram"][2]) > 1
    assert float(rows["transformer"][2]) > 1
    assert "floor (realised, val) 0.3" in printed


def test_a_loss_below_the_floor_is_an_alarm(benchmark, monkeypatch):
    monkeypatch.setattr(
        benchmark, "realised", lambda text: Realised(nats=99.0 * len(text), characters=len(text), scenes=1)
    )
    with pytest.raises(SystemExit, match="below the floor"):
        benchmark.main(steps=2)
