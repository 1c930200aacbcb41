"""Reads what came back: tensors, ids, streams. What cannot be read ends the item."""

import torch

from autograder.grading.student import Ref


def is_tensor(value, shape, dtype):
    return isinstance(value, torch.Tensor) and tuple(value.shape) == tuple(shape) and value.dtype == dtype


def same_tensor(value, expected):
    """The same shape, dtype and values."""
    return is_tensor(value, expected.shape, expected.dtype) and bool((value == expected).all())


def need_tensor(expect, what, value, *, shape, dtype, rule):
    """`value` is a tensor of that shape and dtype, infinities allowed; the item can't go on without it."""
    expect.tensor(what, value, shape=shape, dtype=dtype, finite=False, rule=rule)
    expect.need(f"{what} can be read", is_tensor(value, shape, dtype), rule=rule)


def need_ids(expect, what, ids, prompts, n, vocab_size):
    """`ids` is int64 (B, T + n), begins with the prompts (B, T), and holds ids of the vocabulary."""
    B, T = prompts.shape
    rule = "generate must return each row's prompt and max_new_tokens new ids: int64 (B, T + max_new_tokens)."
    need_tensor(expect, what, ids, shape=(B, T + n), dtype=torch.int64, rule=rule)
    expect.need(
        f"{what}: the prompt comes first",
        same_tensor(ids[:, :T], prompts),
        rule="The result must begin with the prompt, unchanged.",
        saw=f"{what}: the first {T} columns are not the prompt.",
    )
    expect.need(
        f"{what}: every id is one of the vocabulary",
        (ids >= 0) & (ids < vocab_size),
        rule="Every new id must be one of the vocabulary, 0 to V - 1.",
        saw=f"{what}: there are ids outside 0 to {vocab_size - 1}.",
    )


def expect_untouched(student, expect, what, here, before):
    """The prompt tensor `here`, which lies in the worker, still equals `before`."""
    expect.true(
        f"{what}: the prompt tensor is as before",
        same_tensor(student.value(here), before),
        rule="The prompt tensor that was given must stay as it was.",
        saw=f"{what}: the prompt tensor has been changed.",
    )


def streamed(student, expect, what, model, prompt, n, *, limit, **options):
    """The first ids of a stream, at most `limit`, as a list."""
    stream = student.keep(student.sample.generate.stream, model, prompt, n, **options)
    iterator = student.attempt(stream.__iter__)
    expect.need(
        f"{what}: an iterator comes back",
        isinstance(iterator, Ref),
        rule="stream must return an iterator over the new ids: write it with yield.",
        saw=f"{what}: what came back can't be iterated over.",
    )
    found = []
    while len(found) < limit:
        try:
            found.append(as_id(student.next(iterator)))
        except StopIteration:
            break
    # A stream that is cut off must be closed, or what it has switched off until its end stays off. One that is not a
    # generator has no close; that is fine.
    student.attempt(iterator.close)
    return found


def as_id(value):
    """A tensor of one integer as an int, since the choice between the two is a style; anything else as it is."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_floating_point():
        return int(value)
    return value
