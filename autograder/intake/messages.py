"""What the two sides of the gate say to each other: frames of a 4-byte big-endian length and that much msgpack."""

import struct
from typing import Annotated

import msgspec

from autograder.submission import MAX_FILES, MAX_FINDINGS, MAX_NAME, MAX_TOTAL

LENGTH = struct.Struct(">I")
MAX_ANSWER = MAX_TOTAL + MAX_FILES * (MAX_NAME + 16) + (1 << 16)  # contents, names, findings


class Request(msgspec.Struct, frozen=True):
    """`path` is as the file system has it, so bytes; `packages` are a workspace's top folders."""

    path: bytes
    assignment: str | None
    packages: list[str]


class Answer(msgspec.Struct, frozen=True):
    """As in a Submission; the digest is made by the side that asked."""

    files: Annotated[dict[str, bytes], msgspec.Meta(max_length=MAX_FILES)]
    findings: Annotated[list[str], msgspec.Meta(max_length=MAX_FINDINGS + 1)]


def frame(message: Request | Answer) -> bytes:
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body
