"""Judges encode: by a replay of the student's own merges, by tiktoken with those merges, and by what it saves."""

import tiktoken

from autograder.grading.student import StudentError

from . import replay
from .other_ways import telling, way_and_text, way_of
from .replay import PATTERN
from .texts import ODD, UNICODE, compounds, fuzz, prose, shown
from .tokenizers import encode_all, expect_choices, expect_learned, gives, ids_of, merges_of, trained

LOWEST_RANK = "encode must join the pair of the lowest rank first, again and again, within each piece of PATTERN."
FIXED = [*ODD, *UNICODE]  # texts that are the same in each run

REFRAIN = "\nWyvyx wyvyx juq!"  # what a song repeats, letter by letter, is text like any other
HELD_OUT = 2.0  # bytes per token; 164 right merges give more than that on new text of this kind


def test_encode_replay(student, draw, expect):
    """encode joins the pair of the lowest rank first, again and again, within each piece."""
    learned_from = prose(draw, 500) + " aaaa aaaaaaa" * 9
    tokenizer = trained(student, learned_from, 400)
    merges = merges_of(expect, student, tokenizer, at_most=144)
    fuzzed, some_prose = fuzz(draw, 30), prose(draw, 40)
    pieced = telling(compounds(draw, merges, 400), merges, each=4)
    groups = {
        "short odd texts": ODD,
        "texts in many scripts": UNICODE,
        "repeated letters": ["anananan berberber" * 3, " aaaaaaa", "aaaaa"],
        "prose": [some_prose],
        "the same prose again": [some_prose],  # nothing may have been left behind
    }
    for name, texts in groups.items():
        replies = encode_all(student, tokenizer, texts)
        evidence = [way_and_text(*entry, merges) for entry in zip(texts, replies, strict=True)]
        _expect_replayed(expect, name, texts, replies, merges, evidence)
    mixed = pieced + fuzzed
    replies = encode_all(student, tokenizer, mixed)
    # how many of these go wrong depends on the merges that were learned; in which ways they do does not
    ways = {way_of(*entry, merges) for entry in zip(pieced, replies, strict=False)}
    _expect_replayed(expect, "mixed letters and tokens", mixed, replies, merges, sorted(ways))
    expect_learned(expect, student, tokenizer, learned_from)


def _expect_replayed(expect, name, texts, replies, merges, evidence):
    """The replies are the ids of a replay."""
    right = [replay.encode(text, merges) for text in texts]
    wrong = [entry for entry in zip(texts, replies, right, strict=True) if entry[1] != entry[2]]
    saw = ""
    if wrong:
        text, reply, ids = min(wrong, key=lambda entry: len(entry[0]))
        saw = (
            f"{len(wrong)} of {len(texts)} texts get wrong ids. encode({shown(text)}) gives {gives(reply)}; a replay of"
            f" the merges gives {gives(ids)}."
        )
    expect.true(f"the ids of {name} are those of a replay", not wrong, rule=LOWEST_RANK, saw=saw, evidence=evidence)


def test_tiktoken_parity(student, draw, expect):
    """tiktoken, built from the student's mergeable_ranks, gives the same ids and the same text."""
    learned_from = prose(draw, 500) + " ".join(UNICODE * 2)
    tokenizer = trained(student, learned_from, 380)
    merges = merges_of(expect, student, tokenizer, at_most=124)
    ranks = _right_ranks(expect, tokenizer, merges, 380)
    peer = tiktoken.Encoding("student", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    texts = [*FIXED, *fuzz(draw, 900), prose(draw, 100)]
    texts += telling(compounds(draw, merges, 400), merges, each=4)
    right = [peer.encode(text) for text in texts]
    replies = encode_all(student, tokenizer, texts)
    wrong = [text for text, reply, ids in zip(texts, replies, right, strict=True) if reply != ids]
    expect.true(
        "tiktoken gives the same ids",
        not wrong,
        rule="encode must give the ids that tiktoken gives with the same ranks.",
        saw=f"{len(wrong)} of {len(texts)} texts get other ids from tiktoken with your ranks. The shortest of them is"
        f" {shown(min(wrong, key=len, default=''))}.",
        evidence=[way_and_text(*entry, merges) for entry in zip(FIXED, replies, strict=False)],
    )
    _expect_read_back(expect, texts, student.batch(tokenizer.decode, [(ids,) for ids in right]))
    expect_learned(expect, student, tokenizer, learned_from)


def _right_ranks(expect, tokenizer, merges, vocab_size):
    """Needs mergeable_ranks to be what tiktoken takes, and returns it."""
    ranks = tokenizer.mergeable_ranks()
    expect.need(
        "mergeable_ranks maps bytes to ints",
        isinstance(ranks, dict) and all(type(token) is bytes and type(rank) is int for token, rank in ranks.items()),
        rule="mergeable_ranks must return a dict from bytes to int.",
        saw=f"mergeable_ranks returned {shown(str(ranks))}.",
    )
    expected = {bytes([byte]): byte for byte in range(256)}
    expected |= {left + right: 256 + number for number, (left, right) in enumerate(merges)}
    expect.need(
        "mergeable_ranks has the bytes and the merges",
        ranks == expected and len(ranks) == vocab_size,
        rule="mergeable_ranks must map each byte to its value and the token of merge i to 256 + i, and no more.",
        saw=f"mergeable_ranks has {len(ranks)} entries, should have {vocab_size}.{_wrong_rank(ranks, expected)}",
        evidence=[len(ranks), min(ranks.values(), default=None), max(ranks.values(), default=None)],
    )
    return ranks


def _wrong_rank(ranks, expected):
    """A sentence about one token that has another rank than it should have; '' if there is none."""
    wrong = next((token for token in (expected | ranks) if ranks.get(token) != expected.get(token)), None)
    return "" if wrong is None else f" Of {wrong!r} it says {ranks.get(wrong)}; right is {expected.get(wrong)}."


def _expect_read_back(expect, texts, replies):
    """decode gave the texts back."""
    raised = [f"raised {reply.type}" if isinstance(reply, StudentError) else reply for reply in replies]
    lost = [(text, reply) for text, reply in zip(texts, raised, strict=True) if reply != text]
    text, reply = min(lost, key=lambda entry: len(entry[0]), default=("", ""))
    expect.true(
        "decode gives the texts back",
        not lost,
        rule="decode must give back the text that the ids were made from.",
        saw=f"decode makes {shown(str(reply))} of the ids of {shown(text)}.",
        evidence=raised[: len(FIXED)],
    )


def test_held_out(student, draw, expect):
    """Text that training has not seen is compressed as well as the merges allow."""
    text = prose(draw, 900)
    two_thirds = len(text) * 2 // 3
    train, held_out = text[:two_thirds] + REFRAIN * 40, text[two_thirds:] + REFRAIN
    tokenizer = trained(student, train, 420)
    merges = merges_of(expect, student, tokenizer, at_most=164)
    given = ids_of(tokenizer.encode(held_out))
    expect.need("encode returns a list of ints", given is not None, rule="encode must return a list of ints.")
    expect.true(
        "the ids stand for the whole text",
        replay.spelled(given, merges) == held_out.encode(),
        rule="The tokens of a text, side by side, must be the whole text.",
        saw="The tokens that encode gives, side by side, are not the text that was encoded.",
    )
    expect_choices(expect, "prose with a refrain", train, merges, 420)
    size, best = len(held_out.encode()), len(replay.encode(held_out, merges))
    expect.true(
        "new text gets as few ids as the merges allow",
        len(given) == best,
        rule=LOWEST_RANK,
        saw=f"New text of {size} bytes gets {len(given)} ids; a replay of the merges gives {best}.",
        evidence=way_of(held_out, given, merges),
    )
    reached = size / max(1, len(given))
    expect.true(
        f"new text gets more than {HELD_OUT} bytes per token",
        reached > HELD_OUT,
        rule=f"164 merges of most frequent pairs must give more than {HELD_OUT} bytes per token on such text.",
        saw=f"New text gets {reached:.2f} bytes per token.",
    )
