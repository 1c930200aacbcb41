"""Token files: the ids of the whole text, whatever the number of processes; resumable; all or nothing."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import prepare, tokenizers
from data.errors import DataError
from data.prepare import open_tokens, pieces
from tests.data.token_files import BPE, BYTES_AND_BLANKS, MERGES, written

ROOT = Path(__file__).resolve().parents[2]


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
