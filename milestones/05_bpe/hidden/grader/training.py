"""Judges BPETokenizer.train: how many merges it learns, which ones, and whether every process learns the same."""

from .texts import ODD, UNICODE, fuzz, prose
from .tokenizers import expect_choices, expect_learned, ids_of, merges_of, special_ids, trained


def test_train_sizes(student, draw, expect):
    """vocab_size counts bytes, merges and special tokens; there are fewer merges if no pair is left."""
    text = prose(draw, 300)
    for name, source, vocab_size, special, merges in [
        ("prose", text, 300, [], 44),
        ("prose", text, 310, ["<|pad|>", "<|endoftext|>"], 52),
        ("prose", text, 256, [], 0),
        ("prose", text, 257, ["<|end|>"], 0),
        ("''", "", 300, [], 0),
        ("'x'", "x", 300, ["<|end|>"], 0),
        ("'ab'", "ab", 300, ["<|end|>", "<|pad|>"], 1),
        ("'aaaa'", "aaaa", 300, [], 2),
        ("'ab cd'", "ab cd", 300, [], 3),
    ]:
        call = f"train({name}, {vocab_size}, {special})"
        tokenizer = trained(student, source, vocab_size, special)
        _expect_size(expect, student, tokenizer, call, special, merges)


def _expect_size(expect, student, tokenizer, call, special, count):
    """The tokenizer has so many merges, and its other two attributes agree with them."""
    no_limit = 10_000  # an absurd number of merges still gets the message about their number
    merges = merges_of(expect, student, tokenizer, at_most=no_limit, on=f" of {call}")
    expect.equal(
        f"the number of merges of {call}",
        len(merges),
        count,
        rule="Training must go on until bytes, merges and special tokens are vocab_size entries, or no pair is left.",
    )
    total = 256 + count + len(special)
    expect.equal(
        f"vocab_size of {call}",
        student.value(tokenizer.vocab_size),
        total,
        rule="vocab_size must be the number of entries that there are: 256 bytes, the merges and the special tokens.",
    )
    numbers = student.value(tokenizer.special_tokens)
    ids = special_ids(numbers)
    expect.true(
        f"special_tokens of {call} has the ids after the merges",
        ids == list(range(256 + count, total)) and set(numbers) == set(special),
        rule="special_tokens must map each special token to its id, and their ids must come after the last merge's.",
        saw=f"special_tokens of {call} is {numbers!r}, should have the ids {list(range(256 + count, total))}.",
        evidence=ids,
    )


def test_train_replay(student, draw, expect):
    """Each merge joined a pair that was as frequent as any."""
    texts = {
        "prose": (prose(draw, 400), 340),
        "a run": ("aaa aaaa aaaaa ab" + " aaaaaaa" * 3 + " bb", 264),
        "words that begin alike": ("".join(f" {draw.choice('AaBb')}{word}" for word in fuzz(draw, 40)), 290),
        "scripts": (" ".join(UNICODE * 3 + ODD), 300),
        "blank lines": ("x\n\n\n\n\n  y\n\n\n\n" * 30, 262),
    }
    for name, (text, vocab_size) in texts.items():
        tokenizer = trained(student, text, vocab_size)
        merges = merges_of(expect, student, tokenizer, at_most=vocab_size - 256, on=f" on {name}")
        expect_choices(expect, name, text, merges, vocab_size)


def test_deterministic(student, draw, expect):
    """Training gives the same tokenizer in every process, and leaves earlier tokenizers alone."""
    text = prose(draw, 150) + " ab cd ef gh ij kl mn op qr st uv wx yz" * 2
    special = ["<|end|>", "<|pad|>", "<|sep|>", "<|cls|>"]
    first = trained(student, text, 330, special)
    before = _contents(student, first, text)
    trained(student, "zebra zebra quiz " * 20, 280, ["<|other|>"])
    after = _contents(student, first, text)
    changed = [name for name in before if before[name] != after[name]]
    expect.true(
        "a second training leaves the first tokenizer alone",
        not changed,
        rule="Training must not change a tokenizer that was trained before: each must have its own lists and dicts.",
        saw=f"After a second training, these of the first tokenizer were not what they had been: {', '.join(changed)}.",
    )
    _expect_own_list(expect, student, first)
    again = trained(student, text, 330, special)
    expect.true(
        "a second training on the same text gives the same merges",
        student.value(again.merges) == before["merges"],
        rule="Training on the same text must give the same merges each time.",
        saw="A second training on the same text, in the same process, gave other merges.",
    )
    other = student.twin()
    there = trained(other, text, 330, special)
    expect.true(
        "another process learns the same merges",
        other.value(there.merges) == before["merges"],
        rule="Each process must learn the same merges, so the order of a set or a hash must not break ties.",
        saw="Two processes learned different merges from the same text.",
    )
    expect.true(
        "another process gives the special tokens the same ids",
        other.value(there.special_tokens) == before["special_tokens"],
        rule="Each process must give the special tokens the same ids, so these must not depend on the order of a set.",
        saw="Two processes gave the special tokens different ids.",
    )
    expect_learned(expect, student, first, text)


def _contents(student, tokenizer, text):
    return {
        "merges": student.value(tokenizer.merges),
        "special_tokens": student.value(tokenizer.special_tokens),
        "encoding": ids_of(tokenizer.encode(text)),
    }


def _expect_own_list(expect, student, tokenizer):
    """What a caller does to a list of ids does not change later encodings."""
    before = ids_of(tokenizer.encode("ab"))
    handed_out = student.keep(tokenizer.encode, "ab")
    student.attempt(handed_out.append, 0)  # a tensor, which encode may return as well, has no append: no matter
    after = ids_of(tokenizer.encode("ab"))
    expect.true(
        "encode hands out a list of the caller's own",
        after == before,
        rule="encode must return a new list each time, so that a caller may change it.",
        saw=f"encode('ab') gave {before}. After a caller had appended 0 to such a list, it gave {after}.",
    )
