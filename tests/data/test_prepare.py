"""Token files: the ids of the whole text, whatever the number of processes; resumable; all or nothing."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from data import cache, prepare, tokenizers
from data.corpus import Corpus
from data.errors import DataError
from data.prepare import open_tokens, pieces

ROOT = Path(__file__).resolve().parents[2]

# A workspace's tokenizer/bpe.py: the contract of rung 5 as a learner may have written it.
BPE = """
import json
import re

PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\\W\\d_]+| ?\\d+| ?(?:[^\\s\\w]|_)+|\\s+(?!\\S)|\\s+")


class BPETokenizer:
    def __init__(self, merges, special_tokens):
        self.merges = merges
        self.special_tokens = special_tokens
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.bytes = [bytes([i]) for i in range(256)] + [a + b for a, b in merges]
        self.ids = {token: i for i, token in enumerate(self.bytes)}
        self.vocab_size = len(self.bytes) + len(special_tokens)

    def encode(self, text, allowed_special=frozenset()):
        ids = []
        for word in PATTERN.findall(text):
            parts = [bytes([b]) for b in word.encode()]
            while True:
                pairs = [(self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:]))]
                if not pairs or min(pairs)[0] == 1 << 30:
                    break
                i = min(pairs)[1]
                parts[i : i + 2] = [parts[i] + parts[i + 1]]
            ids += [self.ids[part] for part in parts]
        return ids

    def decode(self, ids):
        return b"".join(self.bytes[i] for i in ids).decode(errors="replace")

    def mergeable_ranks(self):
        return {token: i for i, token in enumerate(self.bytes)}

    @classmethod
    def load(cls, path):
        saved = json.loads(open(path).read())
        return cls([tuple(part.encode() for part in pair) for pair in saved], {"<|end|>": 256 + len(saved)})
"""
MERGES = [["t", "h"], ["th", "e"], [" ", "the"], ["e", "r"], ["i", "n"], ["in", "g"], [" ", "w"], [":", "\n"]]


@pytest.fixture
def corpus(verse) -> Corpus:
    return Corpus("verse", verse, hashlib.sha256(verse.encode()).hexdigest(), "MIT", "here")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(prepare, "PIECE_CHARACTERS", 2_000)
    monkeypatch.setattr(prepare.pieces, "__defaults__", (2_000,))


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A learner's workspace with a tokenizer of rung 5, and its saved merges."""
    folder = tmp_path / "work"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "__init__.py").write_text("")
    (folder / "tokenizer" / "bpe.py").write_text(BPE)
    (folder / "bpe.json").write_text(json.dumps(MERGES))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_the_files_hold_the_ids_of_both_splits(corpus, tmp_path, workers):
    tokenizer = tokenizers.char(corpus.text)
    facts = prepare.prepare(corpus, tokenizer, tmp_path / "out", workers=workers)
    tokens = open_tokens(tmp_path / "out")
    train, val = corpus.splits()
    for ids, text, split in ((tokens.train, train, facts.train), (tokens.val, val, facts.val)):
        assert isinstance(ids, np.memmap)
        assert ids.dtype == np.uint16
        assert tokenizer.decode(ids.tolist()) == text
        assert (split.tokens, split.characters, split.bytes) == (len(ids), len(text), len(text.encode()))
        assert split.sha256 == hashlib.sha256((tmp_path / "out" / split.file).read_bytes()).hexdigest()
    assert written(tmp_path / "out") == ["tokens.json", "train.bin", "val.bin"]


def test_the_json_says_what_is_needed_to_use_the_files(corpus, tmp_path):
    tokenizer = tokenizers.char(corpus.text)
    prepare.prepare(corpus, tokenizer, tmp_path, val_fraction=0.25, workers=1)
    said = json.loads((tmp_path / "tokens.json").read_text())
    assert said["identity"] == {
        "corpus_sha256": corpus.sha256,
        "tokenizer": "char",
        "tokenizer_sha256": tokenizer.sha256,
        "val_fraction": 0.25,
    }
    assert said["vocab_size"] == len(set(corpus.text))
    assert said["tokenizer_details"]["vocabulary"] == "".join(sorted(set(corpus.text)))
    assert said["val"]["characters"] == int(len(corpus.text) * 0.25)


def test_the_files_are_read_only(corpus, tmp_path):
    prepare.prepare(corpus, tokenizers.char(corpus.text), tmp_path, workers=1)
    with pytest.raises(ValueError, match="read-only"):
        open_tokens(tmp_path).train[0] = 1


def test_a_large_vocabulary_takes_four_bytes(corpus, tmp_path):
    small = tokenizers.char(corpus.text)
    large = dataclasses.replace(
        small,
        vocab_size=100_000,
        encode=lambda text: [70_000 + i for i in small.encode(text)],
        decode=lambda ids: small.decode([i - 70_000 for i in ids]),
    )
    prepare.prepare(corpus, large, tmp_path, workers=1)
    tokens = open_tokens(tmp_path)
    assert tokens.val.dtype == np.uint32
    assert tokens.val.min() >= 70_000
    assert large.decode(tokens.val.tolist()) == corpus.splits()[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_students_bpe_gives_the_ids_of_the_whole_text(corpus, workspace, tmp_path, workers):
    tokenizer = tokenizers.student_bpe(workspace, workspace / "bpe.json")
    prepare.prepare(corpus, tokenizer, tmp_path / "out", workers=workers)
    tokens = open_tokens(tmp_path / "out")
    train, val = corpus.splits()
    assert tokens.train.tolist() == tokenizer.encode(train)
    assert tokens.val.tolist() == tokenizer.encode(val)
    assert tokens.facts.vocab_size == 256 + len(MERGES) + 1


def test_tiktoken_carries_out_the_students_merges_to_the_same_ids(corpus, workspace, tmp_path):
    ours = tokenizers.by_name(f"bpe:{workspace / 'bpe.json'}", corpus.text, workspace)
    fast = tokenizers.by_name(f"tiktoken:{workspace / 'bpe.json'}", corpus.text, workspace)
    assert (ours.kind, fast.kind) == ("bpe", "tiktoken")
    assert ours.sha256 == fast.sha256
    prepare.prepare(corpus, fast, tmp_path / "out", workers=2)
    assert open_tokens(tmp_path / "out").val.tolist() == ours.encode(corpus.splits()[1])


def test_each_workspace_has_its_own_tokenizer(workspace, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / "tokenizer").mkdir(parents=True)
    (other / "tokenizer" / "bpe.py").write_text(BPE.replace("[self.ids[part] for", "[0 * self.ids[part] for"))
    first = tokenizers.student_bpe(workspace, workspace / "bpe.json")
    second = tokenizers.student_bpe(other, workspace / "bpe.json")
    assert first.encode("the") == [257]
    assert second.encode("the") == [0]


def test_another_tokenizer_has_another_hash(workspace):
    first = tokenizers.student_bpe(workspace, workspace / "bpe.json").sha256
    (workspace / "bpe.json").write_text(json.dumps(MERGES[::-1][:3]))
    assert tokenizers.student_bpe(workspace, workspace / "bpe.json").sha256 != first
    assert tokenizers.char("abc").sha256 != tokenizers.char("abd").sha256
    assert tokenizers.char("abcabc").sha256 == tokenizers.char("cba").sha256


BYTES_AND_BLANKS = tiktoken.Encoding(
    "test",
    pat_str=tokenizers.GPT2_PATTERN,
    # Merges over every kind of blank, so that an id changes wherever a cut joins or parts what it must not.
    mergeable_ranks={bytes([i]): i for i in range(256)}
    | {
        pair: 256 + i
        for i, pair in enumerate((b"\n\n", b"  ", b" \n", b"\n ", b"aa", b" a", b"..", b".\n", b"'s", b"11"))
    },
    special_tokens={},
)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="\n\n\n a.'s1\té\r", max_size=60), st.integers(1, 12))
def test_cutting_a_text_never_changes_its_ids(text, size):
    cut = pieces(text, size)
    assert "".join(cut) == text
    together = [i for piece in cut for i in BYTES_AND_BLANKS.encode_ordinary(piece)]
    assert together == BYTES_AND_BLANKS.encode_ordinary(text)


def test_a_text_is_really_cut(verse):
    assert 8 <= len(pieces(verse, 2_000)) <= len(verse) // 2_000 + 1
    assert pieces("no line break at all" * 500, 100) == ["no line break at all" * 500]


# --- interrupted, repeated, refused -----------------------------------------------------------------------------------


class CountingTokenizer:
    """Characters; fails at the piece number `fails_at`."""

    def __init__(self, text, fails_at=None):
        self.inner = tokenizers.char(text)
        self.fails_at = fails_at
        self.encoded = 0

    def encode(self, text):
        if self.encoded == self.fails_at:
            raise KeyError("ouch")
        self.encoded += 1
        return self.inner.encode(text)

    def as_tokenizer(self):
        return dataclasses.replace(self.inner, encode=self.encode)


def test_an_interrupted_run_goes_on_where_it_stopped(corpus, tmp_path):
    failing = CountingTokenizer(corpus.text, fails_at=5)
    with pytest.raises(DataError, match=r"The tokenizer raised KeyError: 'ouch'"):
        prepare.prepare(corpus, failing.as_tokenizer(), tmp_path, workers=1)
    assert not (tmp_path / "tokens.json").exists()
    with pytest.raises(DataError, match="no finished token files"):
        open_tokens(tmp_path)

    resumed = CountingTokenizer(corpus.text)
    prepare.prepare(corpus, resumed.as_tokenizer(), tmp_path, workers=1)
    assert failing.encoded == 5
    all_pieces = sum(len(pieces(text)) for text in corpus.splits())
    assert resumed.encoded == all_pieces - 5
    assert failing.inner.decode(open_tokens(tmp_path).train.tolist()) == corpus.splits()[0]
    assert written(tmp_path) == ["tokens.json", "train.bin", "val.bin"]


def test_an_interrupted_run_of_another_tokenizer_is_not_mixed_in(corpus, tmp_path):
    with pytest.raises(DataError):
        prepare.prepare(corpus, CountingTokenizer(corpus.text, fails_at=5).as_tokenizer(), tmp_path, workers=1)
    other = tokenizers.char(corpus.text + "~")
    other = dataclasses.replace(other, encode=lambda text: other_ids(text), decode=lambda ids: other_text(ids))
    vocabulary = other.details["vocabulary"][::-1]

    def other_ids(text):
        return [vocabulary.index(c) for c in text]

    def other_text(ids):
        return "".join(vocabulary[i] for i in ids)

    prepare.prepare(corpus, other, tmp_path, workers=1)
    assert open_tokens(tmp_path).train.tolist() == other_ids(corpus.splits()[0])


def test_finished_files_are_not_made_again(corpus, tmp_path):
    first = prepare.prepare(corpus, CountingTokenizer(corpus.text).as_tokenizer(), tmp_path, workers=1)
    again = CountingTokenizer(corpus.text)
    assert prepare.prepare(corpus, again.as_tokenizer(), tmp_path, workers=1) == first
    assert again.encoded == 0


def test_files_of_something_else_are_never_overwritten(corpus, tmp_path):
    prepare.prepare(corpus, tokenizers.char(corpus.text), tmp_path, workers=1)
    before = {name: (tmp_path / name).read_bytes() for name in written(tmp_path)}
    with pytest.raises(DataError, match="token files of something else: verse by char"):
        prepare.prepare(corpus, tokenizers.char(corpus.text), tmp_path, val_fraction=0.2, workers=1)
    assert {name: (tmp_path / name).read_bytes() for name in written(tmp_path)} == before


def test_changed_files_are_noticed_and_made_again(corpus, tmp_path):
    tokenizer = tokenizers.char(corpus.text)
    prepare.prepare(corpus, tokenizer, tmp_path, workers=1)
    good = (tmp_path / "val.bin").read_bytes()
    (tmp_path / "val.bin").write_bytes(good[:-2] + b"\x01\x00")
    with pytest.raises(DataError, match="another checksum"):
        open_tokens(tmp_path)
    prepare.prepare(corpus, tokenizer, tmp_path, workers=1)
    assert (tmp_path / "val.bin").read_bytes() == good
    (tmp_path / "train.bin").unlink()
    with pytest.raises(DataError, match="can't be read"):
        open_tokens(tmp_path)


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
