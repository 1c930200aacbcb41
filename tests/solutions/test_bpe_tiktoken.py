"""The reference tokenizer of rung 5 against tiktoken on its own merges, and what it makes of the real corpus."""

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Scripts of one to four bytes a character, combining signs and joiners, white space of all sorts, contractions, digits.
LEARNED_FROM = (
    "the other mother and the brother, then there; we'll see what they've seen, don't we? It's 12 or 1,234.50!\n"
    "naïve cafés, e\u0301 and Straße №5 — fünf\t안녕하세요 안녕히 가세요  日本語の日本語テキスト Привет, привет "
    "١٢٣ ١٢ مرحبا 🙂🙂👩‍👩‍👧 \u00a0\u2028\r\n aaaa aaaaaaa ababab x = y**2 + (z[0] // 3)\n\n\n   indented\n"
) * 3
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet=sorted(set(LEARNED_FROM)), max_size=60),
    st.lists(st.sampled_from(LEARNED_FROM.split(" ")) | st.text(max_size=3)).map(" ".join),
    st.lists(st.sampled_from(LEARNED_FROM.split())).map("".join),
)


def reference() -> ModuleType:
    """solutions/tokenizer/bpe.py, without leaving a package called `tokenizer` behind for other tests."""
    path = Path(__file__).resolve().parents[2] / "solutions/tokenizer/bpe.py"
    spec = importlib.util.spec_from_file_location("reference_bpe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BPE = reference()


@functools.cache
def trained_and_peer():
    tokenizer = BPE.BPETokenizer.train(LEARNED_FROM, 600)
    ranks = tokenizer.mergeable_ranks()
    peer = tiktoken.Encoding("peer", pat_str=BPE.PATTERN, mergeable_ranks=ranks, special_tokens={})
    return tokenizer, peer


def test_the_ranks_are_bytes_and_many_merges_of_every_script():
    tokenizer, peer = trained_and_peer()
    ranks = tokenizer.mergeable_ranks()
    assert sorted(ranks.values()) == list(range(tokenizer.vocab_size)) == list(range(peer.n_vocab))
    assert len(tokenizer.merges) > 150
    for part in (" the", " brother", " 안녕하세요", " 日本語の日本語テキスト", "🙂🙂", " ١٢٣", "aaaa"):
        assert 3 * len(tokenizer.encode(part)) <= len(part.encode()), part


@settings(max_examples=3000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_fuzzed_text_gets_tiktokens_ids_and_comes_back(text):
    tokenizer, peer = trained_and_peer()
    ids = tokenizer.encode(text)
    assert ids == peer.encode(text, disallowed_special=())
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


@functools.cache
def bytes_per_token(path: Path) -> dict[int, tuple[float, float]]:
    """vocab_size -> bytes per token on the first 90 % of the corpus, which the merges are from, and on the rest."""
    text = path.read_text(encoding="utf-8")
    cut = len(text) - int(len(text) * 0.1)
    merges = BPE.BPETokenizer.train(text[:cut], 4096).merges
    measured = {}
    for size in (256, 512, 1024, 2048, 4096):
        tokenizer = BPE.BPETokenizer(merges[: size - 256])  # training to fewer entries stops earlier on the same way
        train, val = (len(part.encode()) / len(tokenizer.encode(part)) for part in (text[:cut], text[cut:]))
        measured[size] = train, val
    return measured


def test_compression_on_the_real_corpus(shakespeare):
    measured = bytes_per_token(shakespeare)
    for size, known in {512: (1.94, 1.88), 1024: (2.44, 2.26), 2048: (2.89, 2.56), 4096: (3.26, 2.9)}.items():
        assert measured[size] == pytest.approx(known, abs=0.02)


def test_training_to_fewer_entries_gives_the_first_merges_of_more():
    more = BPE.BPETokenizer.train(LEARNED_FROM, 500).merges
    for size in (256, 257, 300, 450):
        assert BPE.BPETokenizer.train(LEARNED_FROM, size).merges == more[: size - 256]
