"""Judges decode and decode_bytes: bytes first and text then, special tokens, tensors, unknown ids."""

import torch

from autograder.grading.student import StudentError

from .texts import prose
from .tokenizers import expect_from_text, expect_reply, trained

BYTES_FIRST = "decode must join the bytes of all tokens first, and read them as UTF-8, with errors='replace', then."
AS_THEY_ARE = "decode_bytes must give the bytes of the tokens as they are."
SPECIAL = "A special token must be decoded as its own text."


def test_decode(student, draw, expect):
    """Bytes are joined first and decoded then; what is not UTF-8 becomes U+FFFD; unknown ids are refused."""
    learned_from = "ab ab " + prose(draw, 100)
    tokenizer = trained(student, learned_from, 300, ["<|end|>"])
    alone = draw.choice([0x80, 0x9F, 0xBF])  # a continuation byte
    for ids in [
        [alone],
        [0xEC, 0x95],  # half a character
        [0xEC, 0x95, 0x88],  # one character in three tokens
        [0x61, 0xF0, 0x9F, 0x99, 0x82, 0x62],  # one in four tokens, between letters
        [0x61, alone, 0x62],
        [0xC0, 0x80],  # a zero in two bytes, which UTF-8 does not allow
        [0x0D, 0x0A, 0x00],
        [],
    ]:
        text = bytes(ids).decode("utf-8", errors="replace")
        expect_reply(expect, f"decode({ids})", student.attempt(tokenizer.decode, ids), text, BYTES_FIRST)
        raw = student.attempt(tokenizer.decode_bytes, ids)
        expect_reply(expect, f"decode_bytes({ids})", raw, bytes(ids), AS_THEY_ARE)
    end = 299  # 256 bytes and 43 merges come first
    for ids, text in [([end, 0x61], "<|end|>a"), ([alone, end], "\ufffd<|end|>")]:
        expect_reply(expect, f"decode({ids})", student.attempt(tokenizer.decode, ids), text, SPECIAL)
    raw = student.attempt(tokenizer.decode_bytes, [end])
    expect_reply(expect, f"decode_bytes([{end}])", raw, b"<|end|>", SPECIAL)
    given = torch.tensor([0x61, end, 0x62])
    reply = student.attempt(tokenizer.decode, given)
    rule = "decode must take a 1-D tensor of ids as well as a list, because models give tensors."
    expect_reply(expect, f"decode(torch.tensor({given.tolist()}))", reply, "a<|end|>b", rule)
    for unknown in (300, -1, 10**6):
        _expect_refused(expect, unknown, student.attempt(tokenizer.decode, [unknown]))
    expect_from_text(expect, student, tokenizer, learned_from)


def _expect_refused(expect, unknown, reply):
    """ValueError is what the stub asks for. A look-up that fails with another error refuses the id as well."""
    if isinstance(reply, StudentError):
        refused = bool({"ValueError", "KeyError", "IndexError"} & set(reply.bases))
        said = f"raised {reply.type}"
    else:
        refused, said = False, f"returned {reply!r}"
    expect.true(
        f"decode([{unknown}]) raises ValueError",
        refused,
        rule="An id that no token has must be refused, with ValueError.",
        saw=f"decode([{unknown}]) {said}.",
        evidence="refused" if refused else said,
    )
