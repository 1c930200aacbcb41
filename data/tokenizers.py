"""Tokenizers for token files: characters, the student's own BPE, or tiktoken."""

import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.student_code import make_importable

# GPT-2's pre-splitting pattern (Radford et al. 2019, encoder.py), which rung 5 prescribes.
GPT2_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


@dataclass(frozen=True)
class Tokenizer:
    """What token files need of a tokenizer.

    sha256:   of what defines it: two tokenizers with the same hash give the same ids
    details:  goes into the JSON beside the token files, so that they can be decoded later
    """

    kind: str
    vocab_size: int
    sha256: str
    encode: Callable[[str], Sequence[int]]
    decode: Callable[[list[int]], str]
    details: dict[str, Any] = field(default_factory=dict)


def by_name(name: str, text: str, workspace: Path) -> Tokenizer:
    """`char`, `bpe:FILE` (saved by the student's tokenizer), `tiktoken:NAME`, or `tiktoken:FILE`: the student's merges,
    carried out by tiktoken. `text` is what `char` takes its vocabulary from. Raises DataError."""
    kind, _, argument = name.partition(":")
    if kind == "char" and not argument:
        return char(text)
    if kind == "bpe" and argument:
        return student_bpe(workspace, Path(argument))
    if kind == "tiktoken" and argument:
        return tiktoken_of_student(workspace, Path(argument)) if Path(argument).exists() else tiktoken_by_name(argument)
    raise DataError(
        "There is no such tokenizer.",
        name,
        "use char, bpe:FILE with a file that your BPETokenizer saved, tiktoken:NAME (for instance tiktoken:gpt2) or "
        "tiktoken:FILE, which carries out your own merges",
    )


class _Characters:
    def __init__(self, vocabulary: str):
        self.vocabulary = vocabulary
        self.ids = {character: i for i, character in enumerate(vocabulary)}

    def encode(self, text: str) -> list[int]:
        return [self.ids[character] for character in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.vocabulary[i] for i in ids)


def char(text: str) -> Tokenizer:
    """One id per character, in the order of their code points."""
    characters = _Characters("".join(sorted(set(text))))
    return Tokenizer(
        kind="char",
        vocab_size=len(characters.vocabulary),
        sha256=_hash(characters.vocabulary),
        encode=characters.encode,
        decode=characters.decode,
        details={"vocabulary": characters.vocabulary},
    )


def student_bpe(workspace: Path, saved: Path) -> Tokenizer:
    """The student's own tokenizer, from a file that it saved. Runs the student's code in this process, without a jail.

    Raises DataError if the workspace has no working BPETokenizer or the file can't be loaded.
    """
    return _from_student(_load_student(workspace, saved), saved)


def _from_student(bpe: Any, saved: Path) -> Tokenizer:
    return Tokenizer(
        kind="bpe",
        vocab_size=bpe.vocab_size,
        sha256=_hash([[left.hex(), right.hex()] for left, right in bpe.merges], bpe.special_tokens),
        encode=bpe.encode,
        decode=bpe.decode,
        details={"saved": str(saved)},
    )


def tiktoken_of_student(workspace: Path, saved: Path) -> Tokenizer:
    """The student's merges, carried out by tiktoken: the same ids, sooner, and no network. Raises DataError."""
    import tiktoken

    bpe = _load_student(workspace, saved)
    ours = _from_student(bpe, saved)
    try:
        encoding = tiktoken.Encoding(
            name=f"ladder-{ours.sha256[:16]}",
            pat_str=GPT2_PATTERN,
            mergeable_ranks=bpe.mergeable_ranks(),
            special_tokens=dict(bpe.special_tokens),
        )
    except Exception as error:
        raise DataError(
            f"tiktoken does not take these merges: {type(error).__name__}: {error}.",
            saved,
            "look at mergeable_ranks() in tokenizer/bpe.py: the 256 bytes and then one entry for each merge",
        ) from error
    return Tokenizer("tiktoken", ours.vocab_size, ours.sha256, encoding.encode_ordinary, encoding.decode, ours.details)


def tiktoken_by_name(name: str) -> Tokenizer:
    """One of tiktoken's published encodings. tiktoken downloads it at its first use. Raises DataError."""
    import tiktoken

    if name not in tiktoken.list_encoding_names():
        raise DataError(
            "tiktoken has no such encoding, and no saved tokenizer has this path.",
            name,
            f"use one of {', '.join(tiktoken.list_encoding_names())}, or a file that your BPETokenizer saved",
        )
    try:
        encoding = tiktoken.get_encoding(name)
    except Exception as error:  # tiktoken lets whatever its HTTP library raises through
        raise DataError(
            f"tiktoken could not get its encoding {name}: {type(error).__name__}.",
            f"tiktoken:{name}",
            "the first use needs the network; tiktoken:FILE with your own saved BPE needs none",
        ) from error
    tokens = encoding.token_byte_values()
    ranks = sorted((encoding.encode_single_token(token), token.hex()) for token in tokens)
    return Tokenizer(
        kind="tiktoken",
        vocab_size=encoding.n_vocab,
        sha256=_hash(name, ranks),
        encode=encoding.encode_ordinary,
        decode=encoding.decode,
        details={"encoding": name},
    )


def _load_student(workspace: Path, saved: Path) -> Any:
    if not saved.is_file():
        raise DataError(
            "There is no saved tokenizer.", saved, "train a BPETokenizer (rung 5) and save it there with its save()"
        )
    folder = workspace.resolve()
    make_importable(folder)
    try:
        bpe = importlib.import_module("tokenizer.bpe").BPETokenizer.load(saved)
        bpe.decode(bpe.encode("To be"))
        _from_student(bpe, saved)
        return bpe
    except Exception as error:  # whatever the student's code raises
        raise DataError(
            f"Your BPETokenizer can't be used: {type(error).__name__}: {error}.",
            f"{folder}/tokenizer/bpe.py, {saved}",
            "ladder check and ladder grade for milestone 5 say what is missing",
        ) from error


def _hash(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, ensure_ascii=True).encode()).hexdigest()
