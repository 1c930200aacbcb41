"""Public tests of rung 5: plain pytest on your own code. The hidden graders check more, on fresh texts."""

import pytest
import tiktoken

from tokenizer.bpe import BPETokenizer

GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
SEA = "sea seas see sees sea"  # the handout's example


def test_the_handouts_example():
    tokenizer = BPETokenizer.train(SEA, 260)
    assert tokenizer.merges[:2] == [(b"s", b"e"), (b" ", b"se")], "s + e occurs 5 times, then ' ' + se 4 times"
    tie = {(b" se", b"a"), (b" se", b"e")}
    assert set(tokenizer.merges[2:]) == tie, "the third and the fourth merge occur twice each, in any order"
    assert len(tokenizer.encode(SEA)) == 8


def test_vocab_size_counts_bytes_merges_and_special_tokens():
    tokenizer = BPETokenizer.train(SEA, 260, ["<|end|>"])
    assert len(tokenizer.merges) == 3, "260 entries are 256 bytes, 3 merges and 1 special token"
    assert tokenizer.special_tokens == {"<|end|>": 259}, "special tokens come last"
    assert tokenizer.vocab_size == 260


def test_training_stops_where_no_pair_is_left():
    tokenizer = BPETokenizer.train("ab cd", 300)
    assert len(tokenizer.merges) == 3, "such as a+b, c+d and ' '+cd; then each piece is one token"
    assert tokenizer.vocab_size == 259, "vocab_size is the number of entries that there are"
    assert BPETokenizer.train("", 300).merges == []


def test_there_is_no_room_for_less_than_the_bytes():
    with pytest.raises(ValueError):
        BPETokenizer.train(SEA, 257, ["<|a|>", "<|b|>"])


def test_a_piece_counts_as_often_as_it_occurs():
    assert BPETokenizer.train("xy" + " xy" * 9 + " ab abc abd", 257).merges == [(b"x", b"y")]


def test_merges_stay_within_pieces():
    tokenizer = BPETokenizer.train("ab, " * 20, 300)
    made = [left + right for left, right in tokenizer.merges]
    assert set(made) == {b"ab", b" ab"}, "'ab', ' ab', ',' and ' ' are pieces; no token may join two of them"


def test_encoding_stays_within_pieces():
    tokenizer = BPETokenizer.train("sa sa sa", 257)
    assert tokenizer.encode("sa") == [256]
    assert tokenizer.encode("'sa") == [39, 115, 97], "the pieces are 's and a; s and a are not in one piece"


def test_joins_do_not_overlap():
    tokenizer = BPETokenizer.train("aa", 257)
    assert tokenizer.merges == [(b"a", b"a")]
    assert tokenizer.encode("aaa") == [256, 97], "a a a becomes aa a, from the left"
    assert tokenizer.encode("baa") == [98, 256], "the pair at the end is joined as well"


def test_the_pair_learned_first_is_joined_first():
    tokenizer = BPETokenizer.train("er," * 9 + "he," * 5, 258)
    assert tokenizer.merges == [(b"e", b"r"), (b"h", b"e")]
    assert tokenizer.encode("her") == [104, 256], "e+r has the lower id, so it goes before h+e"
    assert tokenizer.encode("he") == [257]


TEXTS = ["", " ", "  two  spaces \n", "Naïve CAFÉ", "안녕하세요 🙂", "e\u0301 is not é", "\x00\r\n\t"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_as_it_went_in(text):
    tokenizer = BPETokenizer.train(SEA + " café 안녕", 280)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


def test_each_call_of_encode_starts_anew():
    tokenizer = BPETokenizer.train(SEA, 260)
    first = tokenizer.encode("sea seas")
    kept = list(first)
    tokenizer.encode("see")
    assert first == kept, "a later call changed an earlier result"
    assert tokenizer.encode("sea seas") == kept


def test_bytes_are_joined_before_they_are_read():
    tokenizer = BPETokenizer.train("", 256)
    assert tokenizer.decode([236, 149, 136]) == "안", "the three bytes of one character, in three tokens"
    assert tokenizer.decode([97, 191, 98]) == "a\ufffdb", "191 alone is not UTF-8, and becomes U+FFFD"


@pytest.mark.parametrize("unknown", [-1, 260])
def test_unknown_ids_are_refused(unknown):
    with pytest.raises(ValueError):
        BPETokenizer.train(SEA, 260).decode([97, unknown])


def test_special_tokens_are_special_only_where_allowed():
    tokenizer = BPETokenizer.train("", 257, ["<|end|>"])
    assert tokenizer.encode("a<|end|>b") == list(b"a<|end|>b"), "by default it is text like any other"
    assert tokenizer.encode("a<|end|>b", allowed_special={"<|end|>"}) == [97, 256, 98]
    assert tokenizer.decode([97, 256, 98]) == "a<|end|>b"


def test_training_takes_a_special_tokens_text_for_text():
    assert len(BPETokenizer.train("<|end|>" * 9, 260, ["<|end|>"]).merges) == 3


def test_the_longest_special_token_wins():
    names = ["<|x|>", "<|x|><|x|>"]
    tokenizer = BPETokenizer.train("", 258, names)
    assert tokenizer.encode("<|x|>" * 3, allowed_special=set(names)) == [257, 256]


def test_a_loaded_tokenizer_is_the_saved_one(tmp_path):
    tokenizer = BPETokenizer.train(SEA + " 안녕 안녕", 270, ["<|end|>"])
    tokenizer.save(tmp_path / "tokenizer")
    loaded = BPETokenizer.load(tmp_path / "tokenizer")
    assert loaded.merges == tokenizer.merges, "the same merges in the same order"
    assert loaded.special_tokens == tokenizer.special_tokens
    text = "sees the sea 안녕<|end|>"
    assert loaded.encode(text, {"<|end|>"}) == tokenizer.encode(text, {"<|end|>"})


def test_tiktoken_gives_the_same_ids():
    tokenizer = BPETokenizer.train("the other mother and the brother, then there " * 3 + SEA, 275)
    ranks = tokenizer.mergeable_ranks()
    assert sorted(ranks.values()) == list(range(275)), "every byte and every merge, nothing else"
    peer = tiktoken.Encoding("mine", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})
    for text in ("another mother's sea", "their  heather\n\n", "seethe there; 12 seers", "안녕 thé"):
        assert tokenizer.encode(text) == peer.encode(text), text
