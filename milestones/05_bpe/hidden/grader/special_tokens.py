"""Judges special tokens: special only if they are allowed, the longest first, found wherever they stand."""

import itertools

from . import replay
from .texts import prose
from .tokenizers import expect_reply, gives, ids_of, merges_of, special_ids, trained

SPECIAL = ["<|eot|>", "<|eot|><|eot|>", "<|a|>", "[MASK]", "+", "ein"]

# name: (text, allowed, the parts that it is cut into; those that are allowed become one id each)
CASES = {
    "not allowed": ("a<|eot|>b", [], ["a<|eot|>b"]),
    "allowed": ("a<|eot|>b", ["<|eot|>"], ["a", "<|eot|>", "b"]),
    "alone, not allowed": ("<|eot|>", [], ["<|eot|>"]),
    "another one allowed": ("a<|eot|>b<|a|>", ["<|a|>"], ["a<|eot|>b", "<|a|>"]),
    "the longest first": ("<|eot|><|eot|>x", SPECIAL, ["<|eot|><|eot|>", "x"]),
    "three in a row": ("<|eot|>" * 3, SPECIAL, ["<|eot|><|eot|>", "<|eot|>"]),
    "only the short one allowed": ("<|eot|>" * 3, ["<|eot|>"], ["<|eot|>"] * 3),
    "side by side": ("<|a|><|eot|>[MASK]", SPECIAL, ["<|a|>", "<|eot|>", "[MASK]"]),
    "between spaces": ("<|a|> an <|a|>  in\n", SPECIAL, ["<|a|>", " an ", "<|a|>", "  in\n"]),
    "made of a regular expression's signs": ("1+[MASK]MASK", ["+", "[MASK]"], ["1", "+", "[MASK]", "MASK"]),
    "within words": ("einen kein", ["ein"], ["ein", "en k", "ein"]),
    "only itself": ("[MASK]", ["[MASK]"], ["[MASK]"]),
    "not in the text": ("M A", ["[MASK]"], ["M A"]),
    "no text": ("", SPECIAL, []),
}

ONLY_ALLOWED = (
    "Only the special tokens in allowed_special must become their ids, the longest first. All other text must be"
    " encoded as ordinary text."
)


def test_special_tokens(student, draw, expect):
    """Ordinary text unless allowed; the longest first; ids after the merges; found wherever they stand."""
    vocab_size = 300 + len(SPECIAL)
    tokenizer = trained(student, prose(draw, 100) + " ein einen kein" * 9, vocab_size, SPECIAL)
    merges = merges_of(expect, student, tokenizer, at_most=44)
    numbers = student.value(tokenizer.special_tokens)
    ids = special_ids(numbers)
    expect.need(
        "special_tokens has the ids after the merges",
        ids == list(range(300, vocab_size)) and set(numbers) == set(SPECIAL),
        rule="special_tokens must map each special token to its id, and their ids must come after the last merge's.",
        saw=f"special_tokens is {numbers!r}, should have the ids from 300 to {vocab_size - 1}.",
        evidence=ids,
    )
    for name, (text, allowed, parts) in CASES.items():
        right = _right_ids(parts, allowed, numbers, merges)
        given = ids_of(tokenizer.encode(text, student.instrument("frozen_set", allowed)))
        expect.true(
            f"a special token, {name}, is encoded as it should be",
            given == right,
            rule=ONLY_ALLOWED,
            saw=f"With {allowed or 'nothing'} allowed, encode({text!r}) gives {gives(given)}; right is {gives(right)}.",
            evidence=_in_words(given, numbers, merges),
        )
    _expect_default(expect, tokenizer, numbers, merges)
    reply = student.attempt(tokenizer.decode, _right_ids(["a", "<|eot|>", "b"], ["<|eot|>"], numbers, merges))
    expect_reply(expect, "the decoded text", reply, "a<|eot|>b", "decode must turn a special token into its own text.")
    _expect_trained_on_its_text(expect, student)


def _right_ids(parts, allowed, numbers, merges):
    ids = []
    for part in parts:
        ids += [numbers[part]] if part in allowed else replay.encode(part, merges)
    return ids


def _in_words(ids, numbers, merges):
    """Evidence: special tokens by their names, and between them what the ids spell, whichever merges were learned."""
    if ids is None:
        return ["not a list of ints"]
    names = {number: name for name, number in numbers.items()}
    words = []
    for special, run in itertools.groupby(ids, key=names.__contains__):
        run = list(run)
        words += [f"the token {names[i]}" for i in run] if special else [f"the text {replay.spelled(run, merges)}"]
    return words


def _expect_default(expect, tokenizer, numbers, merges):
    """Nothing is allowed unless the caller says so: otherwise whoever writes the text could end it."""
    given, right = ids_of(tokenizer.encode("a<|eot|>b")), replay.encode("a<|eot|>b", merges)
    expect.true(
        "by default no special token is allowed",
        given == right,
        rule="Without allowed_special, the text of a special token must be encoded as ordinary text.",
        saw=f"encode('a<|eot|>b') gives {gives(given)}; right is {gives(right)}.",
        evidence=_in_words(given, numbers, merges),
    )


def _expect_trained_on_its_text(expect, student):
    """Merges are learned from the text of a special token as from any other."""
    tokenizer = trained(student, "<|abc|>" * 50, 262, ["<|abc|>"])
    merges = merges_of(expect, student, tokenizer, at_most=5, on=" learned from a special token's text")
    of_its_text = [left + right in b"<|abc|>" * 2 for left, right in merges]
    expect.true(
        "merges are learned from a special token's text",
        of_its_text == [True] * 5,
        rule="In training, the text of a special token must be ordinary text.",
        saw=f"train('<|abc|>' * 50, 262, ['<|abc|>']) learned {merges}.",
        evidence=of_its_text,
    )
