"""The climb trains with the code of a folder, keeps what is done, and says plainly what did not work."""

import io
import json
import shutil

import pytest
from rich.console import Console

from autograder.errors import UnusableInput
from data import registry
from data.corpus import Corpus
from reports import climb
from reports.climb import ASSEMBLIES, Assembly, Result
from tests.this_course import SOLUTIONS

TEXT = "the cat sat on the mat, and the dog sat on the cat;\nnobody asked the mat what it thought of that.\n" * 60


def corpus(text=TEXT, sha256="0" * 64):
    return Corpus("cats", text, sha256, "MIT", "here")


def quick(name, steps=20):
    return Assembly(name, steps, 1e-3, 2.0)


def run(code, out, assemblies, text=TEXT):
    return climb.climb(code, corpus(text), out, assemblies=assemblies, console=Console(file=io.StringIO()))


def result(val_loss=2.0, sample="a line that is long enough\nand another one\n"):
    return Result(key="", val_loss=val_loss, train_loss=val_loss, parameters=4225, seconds=1.0, sample=sample)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Rough estimates and short samples: these tests look at what happens, not at how well it goes."""
    monkeypatch.setattr(climb, "EVAL_TOKENS", 5_000)
    monkeypatch.setattr(climb, "SAMPLE_TOKENS", 100)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    shutil.copytree(SOLUTIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_climb_goes_on_where_it_stopped(workspace, tmp_path, monkeypatch):
    attention = workspace / "model" / "attention.py"
    whole = attention.read_text()
    attention.write_text(
        whole.replace("class Head(nn.Module):", "class Head(nn.Module):\n    raise Exception('not yet')")
    )
    out = tmp_path / "climb"
    assemblies = [quick("bigram", 120), quick("LayerNorm")]
    page = run(workspace, out, assemblies)
    assert "not yet" in page, "the failed assembly says why"
    assert "bigram" in json.loads((out / "climb.json").read_text()), "the other is kept"
    assert (out / "climb.png").stat().st_size > 1000
    assert "<svg" in (out / "climb.svg").read_text()

    attention.write_text(whole)
    first = run(workspace, out, assemblies)
    results = json.loads((out / "climb.json").read_text())
    assert results["bigram"]["parameters"] == len(set(TEXT)) ** 2
    assert 0 < results["LayerNorm"]["val_loss"] < 4
    assert len(results["LayerNorm"]["sample"]) == 100
    assert not list(out.glob("*.log")), "only a failed assembly leaves a log"
    assert not (out / "corpus.txt").exists()

    def nothing_to_do(*_):
        raise AssertionError("a finished assembly was trained again")

    monkeypatch.setattr(climb, "train", nothing_to_do)
    assert run(workspace, out, assemblies) == first


def test_nanogpt_runs_through_the_training_loop(workspace, tmp_path):
    page = run(workspace, tmp_path / "climb", [quick("nanoGPT", 4)], TEXT * 4)
    (trained,) = json.loads((tmp_path / "climb" / "climb.json").read_text()).values()
    vocab_size, C = len(set(TEXT)), 128
    assert trained["parameters"] == (vocab_size + 64) * C + 4 * (12 * C * C + 13 * C) + 2 * C
    assert f"{trained['parameters']:,}" in page
    assert (tmp_path / "climb" / "runs" / "nanoGPT" / "metrics.jsonl").exists()


def test_key_follows_code_corpus_and_recipe():
    keys = {
        climb.key_of(quick("bigram"), "code", corpus()),
        climb.key_of(quick("bigram"), "other code", corpus()),
        climb.key_of(quick("bigram"), "code", corpus(sha256="1" * 64)),
        climb.key_of(quick("bigram", steps=21), "code", corpus()),
    }
    assert len(keys) == 4
    assert climb.key_of(quick("bigram"), "code", corpus()) in keys


def test_no_workspace_is_said_in_a_sentence(tmp_path):
    with pytest.raises(UnusableInput, match="make milestone-1"):
        run(tmp_path / "nowhere", tmp_path / "out", [quick("bigram")])


def test_damaged_results_are_not_overwritten(workspace, tmp_path):
    (tmp_path / "climb.json").write_text("{half")
    with pytest.raises(UnusableInput, match="Move it away"):
        run(workspace, tmp_path, [quick("bigram")])
    assert (tmp_path / "climb.json").read_text() == "{half"


@pytest.mark.parametrize(
    ("val_loss", "words"), [(1.8857, "matches nanoGPT"), (1.93, "does not match"), (1.2, "look for a leak")]
)
def test_judgement_has_three_answers(val_loss, words):
    assert words in climb.judgement(val_loss)


def test_page_on_tiny_shakespeare_shows_the_published_losses():
    famous = corpus(sha256=registry.corpora()["tinyshakespeare"].sha256)
    page = climb.page(ASSEMBLIES, {"bigram": result(2.4936), "nanoGPT": result(1.88)}, {}, famous)
    bigram = next(line for line in page.splitlines() if line.startswith("bigram"))
    assert "2.4936" in bigram
    assert "2.49 " in bigram
    assert "It matches nanoGPT" in page
    assert "not trained" in page


def test_sample_line_is_the_first_that_says_something():
    assert climb.sample_line("x\nhey\n  a line   that is long enough \nmore") == "a line that is long enough"
    assert climb.sample_line("a\nb") == "a b"
