"""What graders of a tokenizer have in common: how one is trained, and how its merges and ids are read and judged."""

import torch

from autograder.grading.student import StudentError

from . import replay
from .texts import shown


def trained(student, text, vocab_size, special_tokens=()):
    """The tokenizer that BPETokenizer.train returns, kept in the worker."""
    return student.keep(student.tokenizer.bpe.BPETokenizer.train, text, vocab_size, list(special_tokens))


def merges_of(expect, student, tokenizer, *, at_most, on=""):
    """Needs at most so many merges, and returns them as [(bytes, bytes)]. on: of which tokenizer, for the labels."""
    return expect_merges(expect, student.value(tokenizer.merges), at_most=at_most, on=on)


def expect_merges(expect, value, *, at_most, on=""):
    """The same for a value that was read before."""
    expect.need(
        f"merges{on} is a list of pairs of bytes",
        isinstance(value, list) and all(map(_is_pair, value)),
        rule="merges must be a list of pairs (bytes, bytes), in the order in which they were learned.",
        saw=f"merges{on} is {_odd_merges(value)}.",
    )
    expect.need(
        f"there is room for the merges{on}",
        len(value) <= at_most,
        rule="Bytes, merges and special tokens together must not be more than vocab_size entries.",
        saw=f"There are {len(value)} merges{on}, and there is room for {at_most}.",
    )
    return [(left, right) for left, right in value]


def _is_pair(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(part) is bytes for part in value)


def _odd_merges(value) -> str:
    if not isinstance(value, list):
        return f"of type {type(value).__name__}"
    odd = next((entry for entry in value if not _is_pair(entry)), None)
    return f"a list that holds {shown(str(odd))}"


def expect_choices(expect, name, text, merges, vocab_size):
    """Each merge joined a pair as frequent as any, and training went on while there was room. name: the text's."""
    sentence, evidence, stopped_early = "", "right", False
    try:
        pair_left = replay.replay(text, merges)
        stopped_early = pair_left and len(merges) < vocab_size - 256
    except replay.WrongMerge as error:
        sentence, evidence = (
            f"{error} (The first merge is merge 0. The text begins with {shown(text)}.)",
            error.evidence,
        )
    expect.true(
        f"each merge on {name} joins a most frequent pair",
        evidence == "right",
        rule="Each merge must join a pair that is as frequent as any in the text so far, within the pieces of PATTERN.",
        saw=sentence,
        evidence=evidence,
    )
    expect.true(
        f"training on {name} goes on while there is a pair, and room for a merge",
        not stopped_early,
        rule="Training must go on until the vocabulary is full or no pair is left.",
        saw=f"Training stopped after {len(merges)} of {vocab_size - 256} merges, although pairs are left.",
    )


LEARNED = 0.5  # the share of tokens that must be in the text, by which the least likely mistake is far above
USED = 9  # ids of merges, and different ids, in the training text: with any known mistake there are far more


def expect_learned(expect, student, tokenizer, text):
    """A sign of life: most tokens are bytes of the text that was learned from, and encode uses them on it.

    Whatever else is wrong, a tokenizer that has learned shows both. One that gives back bytes shows neither, though
    that is a right encoding under merges that never meet.
    """
    expect_from_text(expect, student, tokenizer, text)
    reply = student.attempt(tokenizer.encode, text)
    ids = None if isinstance(reply, StudentError) else ids_of(reply)
    expect.true(
        "encode uses the merges",
        ids is not None and sum(i >= 256 for i in ids) > USED and len(set(ids)) > USED,
        rule="encode must use the merges that were learned, at least on the text that they were learned from.",
        saw=f"The text that was learned from gets {gives(ids)}.",
        record=False,
    )


def expect_from_text(expect, student, tokenizer, text):
    """The first half of it, for an item that must not depend on encode."""
    merges = student.value(tokenizer.merges)
    tokens = [left + right for left, right in merges] if isinstance(merges, list) and all(map(_is_pair, merges)) else []
    there = sum(token in text.encode() for token in tokens)
    expect.true(
        "merges come from the text",
        there > LEARNED * len(tokens),
        rule="Merges must be learned from the text.",
        saw=f"Of {len(tokens)} merged tokens {there} occur in the text that they were to be learned from.",
        record=False,
    )


def ids_of(value):
    """A list of ints from what encode returned, which may be a 1-D tensor; None if it is anything else."""
    value = value.tolist() if isinstance(value, torch.Tensor) and value.ndim == 1 else value
    return value if isinstance(value, list) and all(type(i) is int for i in value) else None


def encode_all(student, tokenizer, texts):
    """What `ids_of` makes of the ids of each text. Raises the first StudentError."""
    replies = student.batch(tokenizer.encode, [(text,) for text in texts])
    for reply in replies:
        if isinstance(reply, StudentError):
            raise reply
    return [ids_of(reply) for reply in replies]


def gives(ids) -> str:
    """What `ids_of` found, for a message; long lists are cut."""
    if ids is None:
        return "something that is not a list of ints"
    return str(ids) if len(ids) <= 12 else f"{str(ids[:12])[:-1]}, …] ({len(ids)} ids)"


def special_ids(numbers):
    """The ids that special_tokens gives, sorted; None if it is not a dict with ints."""
    if not isinstance(numbers, dict) or not all(type(i) is int for i in numbers.values()):
        return None
    return sorted(numbers.values())


def expect_reply(expect, what, reply, expected, rule):
    """`reply`, from student.attempt or student.batch, is exactly `expected`."""
    if isinstance(reply, StudentError):
        expect.true(what, False, rule=rule, saw=f"{what} raised {reply}.", evidence=f"raised {reply.type}")
    else:
        expect.equal(what, reply, expected, rule=rule)
