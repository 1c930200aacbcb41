"""What token files refuse, in words for the person who can mend it: damaged files, lossy tokenizers, full disks."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken

from data import cache, prepare, tokenizers
from data.errors import DataError
from data.prepare import open_tokens
from tests.data.token_files import BYTES_AND_BLANKS, written

ROOT = Path(__file__).resolve().parents[2]


def test_a_damaged_json_is_an_error(corpus, tmp_path):
    prepare.prepare(corpus, tokenizers.char(corpus.text), tmp_path, workers=1)
    (tmp_path / "tokens.json").write_text("{")
    with pytest.raises(DataError, match=r"tokens\.json is damaged"):
        open_tokens(tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decode": lambda ids: "x" * len(ids)}, "does not give the text back"),
        ({"encode": lambda text: [10**6] * len(text), "decode": lambda ids: ""}, "from 0 to"),
        ({"encode": lambda text: "nonsense"}, "The tokenizer raised ValueError"),
        ({"encode": lambda text: [[1, 2], [3, 4]], "decode": lambda ids: ""}, "from 0 to"),
    ],
)
def test_a_tokenizer_that_loses_something_is_found_out(corpus, tmp_path, change, message, workers):
    tokenizer = dataclasses.replace(tokenizers.char(corpus.text), **change)
    with pytest.raises(DataError, match=message) as caught:
        prepare.prepare(corpus, tokenizer, tmp_path, workers=workers)
    assert caught.value.next_step
    assert not (tmp_path / "tokens.json").exists()


FULL_DISK = """
import resource, sys
from pathlib import Path
import datasets
from data import prepare, tokenizers
from data.corpus import Corpus
from data.errors import DataError
text = Path(sys.argv[1]).read_text()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    corpus = Corpus("v", text, "", "MIT", "here")
    prepare.prepare(corpus, tokenizers.char(text), Path(sys.argv[2]), workers=int(sys.argv[4]))
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_an_error_and_the_finished_pieces_stay(corpus, tmp_path, workers, monkeypatch):
    (tmp_path / "text.txt").write_text(corpus.text)
    out = tmp_path / "out"
    # Room for a piece (under 100,000 characters, two bytes each), but not for the 27,000 ids of the train split.
    arguments = [str(tmp_path / "text.txt"), str(out), "30000", str(workers)]
    code = FULL_DISK.replace("text = ", "prepare.pieces.__defaults__ = (2_000,)\ntext = ", 1)
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "There is no room to write" in result.stdout
    left = written(out)
    assert left
    assert all(name.startswith(".pieces/") and name.endswith(".bin") for name in left)
    assert not [name for name in left if "partial" in name]
    facts = prepare.prepare(corpus, tokenizers.char(corpus.text), out, workers=1)
    assert facts.train.characters == len(corpus.splits()[0])


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with cache.replacing(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (path.read_bytes(), written(tmp_path)) == (b"old", ["file"])
    with cache.replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert (path.read_bytes(), written(tmp_path)) == (b"new", ["file"])


@pytest.mark.parametrize("val_fraction", [0.0, 1.0])
def test_a_split_without_text_is_refused(corpus, tmp_path, val_fraction):
    with pytest.raises(ValueError, match="without text"):
        prepare.prepare(corpus, tokenizers.char(corpus.text), tmp_path, val_fraction=val_fraction, workers=1)


# --- tokenizers that can't be had -------------------------------------------------------------------------------------


def test_names_of_tokenizers_are_explained(tmp_path):
    for name in ("words", "char:x", "bpe", "bpe:", "tiktoken"):
        with pytest.raises(DataError, match="no such tokenizer") as caught:
            tokenizers.by_name(name, "text", tmp_path)
        assert "tiktoken:gpt2" in caught.value.next_step
    with pytest.raises(DataError, match="no such encoding") as caught:
        tokenizers.by_name("tiktoken:gpt-99", "text", tmp_path)
    assert "gpt2" in caught.value.next_step


def test_a_published_encoding_without_the_network_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    with pytest.raises(DataError, match="could not get its encoding gpt2") as caught:
        tokenizers.by_name("tiktoken:gpt2", "text", tmp_path)
    assert "network" in caught.value.next_step


def test_a_published_encoding_is_identified_by_its_tokens(monkeypatch):
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: BYTES_AND_BLANKS)
    monkeypatch.setattr(tiktoken, "list_encoding_names", lambda: ["one", "two"])
    one, two = tokenizers.tiktoken_by_name("one"), tokenizers.tiktoken_by_name("two")
    assert one.sha256 != two.sha256
    assert one.vocab_size == BYTES_AND_BLANKS.n_vocab
    assert one.decode(list(one.encode("a\n\na"))) == "a\n\na"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "class BPETokenizer:\n    @classmethod\n    def load(cls, path):\n        raise NotImplementedError",
            "NotImplemented",
        ),
        ("", "AttributeError"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_an_unfinished_tokenizer_is_pointed_to_rung_5(workspace, code, message):
    (workspace / "tokenizer" / "bpe.py").write_text(code)
    with pytest.raises(DataError, match=message) as caught:
        tokenizers.student_bpe(workspace, workspace / "bpe.json")
    assert "milestone 5" in caught.value.next_step


def test_a_missing_saved_tokenizer_is_named(workspace):
    with pytest.raises(DataError, match="no saved tokenizer") as caught:
        tokenizers.student_bpe(workspace, workspace / "nowhere.json")
    assert caught.value.where.endswith("nowhere.json")
