"""Token files: a corpus, tokenized once, as integers on disk that training reads without loading them.

    train.bin  val.bin    uint16 or uint32, little-endian, no header
    tokens.json           what they are: split, tokenizer hash, checksums

The text is cut into pieces that are tokenized in parallel by `datasets.map`. Each finished piece is a file of its own
in `.pieces/` until all are there; so an interrupted run goes on where it stopped. tokens.json is written last: a folder
without it holds nothing that anybody reads.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from data import cache
from data.corpus import Corpus
from data.errors import DataError
from data.tokenizers import Tokenizer

PIECE_CHARACTERS = 100_000
JSON_NAME = "tokens.json"
PIECES = ".pieces"


class SplitFile(msgspec.Struct, frozen=True):
    """One split. `characters` and `bytes` (UTF-8) are of its text, so that losses can be given per byte."""

    file: str
    tokens: int
    characters: int
    bytes: int
    sha256: str


class Identity(msgspec.Struct, frozen=True):
    """What decides the ids. `corpus_sha256` is of the text in UTF-8, with line ends as "\\n"."""

    corpus_sha256: str
    tokenizer: str
    tokenizer_sha256: str
    val_fraction: float


class TokenFiles(msgspec.Struct, frozen=True):
    """What tokens.json says. `dtype` is "uint16" or "uint32"; the bytes are little-endian on every machine."""

    corpus: str
    licence: str
    identity: Identity
    vocab_size: int
    dtype: str
    train: SplitFile
    val: SplitFile
    tokenizer_details: dict[str, str]


@dataclass(frozen=True)
class Tokens:
    """Opened token files: `train` and `val` are memory-mapped, read-only, one-dimensional."""

    train: np.ndarray
    val: np.ndarray
    facts: TokenFiles


def prepare(
    corpus: Corpus,
    tokenizer: Tokenizer,
    out: Path,
    *,
    val_fraction: float = 0.1,
    workers: int | None = None,
) -> TokenFiles:
    """Writes token files of a corpus into the folder `out` and returns what tokens.json says.

    The text is split first, so that every tokenizer validates on the same characters. What is there already is used:
    finished files of the same corpus and tokenizer, and the finished pieces of a run that was interrupted. `workers` is
    the number of processes; None takes one per core.

    Raises DataError: `out` holds token files of something else; the tokenizer fails or does not give the text back; the
    disk is full. ValueError if val_fraction leaves one of the splits empty.
    """
    train, val = corpus.splits(val_fraction)
    if not train or not val:
        raise ValueError(f"val_fraction = {val_fraction} leaves a split without text")
    dtype = np.dtype("<u2") if tokenizer.vocab_size <= 1 << 16 else np.dtype("<u4")
    identity = Identity(
        corpus_sha256=hashlib.sha256(corpus.text.encode()).hexdigest(),
        tokenizer=tokenizer.kind,
        tokenizer_sha256=tokenizer.sha256,
        val_fraction=val_fraction,
    )
    finished = _finished(out, identity)
    if finished is not None:
        return finished

    fingerprint = hashlib.sha256(msgspec.json.encode((identity, PIECE_CHARACTERS))).hexdigest()[:16]
    folder = out / PIECES / fingerprint
    texts = {
        folder / f"{split}-{number:06}.bin": piece
        for split, text in (("train", train), ("val", val))
        for number, piece in enumerate(pieces(text))
    }
    _tokenize(texts, tokenizer, dtype, workers or os.cpu_count() or 1)

    facts = TokenFiles(
        corpus=corpus.name,
        licence=corpus.licence,
        identity=identity,
        vocab_size=tokenizer.vocab_size,
        dtype=dtype.name,
        train=_join([path for path in texts if path.name.startswith("train")], out / "train.bin", train, dtype),
        val=_join([path for path in texts if path.name.startswith("val")], out / "val.bin", val, dtype),
        tokenizer_details=tokenizer.details,
    )
    with cache.replacing(out / JSON_NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n")
    shutil.rmtree(out / PIECES)
    return facts


def open_tokens(folder: Path) -> Tokens:
    """Opens token files, memory-mapped. Raises DataError if they are missing or are not what tokens.json says."""
    facts = read_facts(folder)
    return Tokens(_open(folder, facts.train, facts), _open(folder, facts.val, facts), facts)


def read_facts(folder: Path) -> TokenFiles:
    """What tokens.json says. Raises DataError if it is missing or damaged."""
    path = folder / JSON_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=TokenFiles)
    except OSError as error:
        raise DataError("There are no finished token files here.", folder, "ladder data prepare makes them") from error
    except msgspec.MsgspecError as error:
        raise DataError(f"{JSON_NAME} is damaged: {error}.", path, "delete the folder and prepare again") from error


def pieces(text: str, size: int = PIECE_CHARACTERS) -> list[str]:
    """Cuts a text so that tokenizing the pieces gives the same ids as tokenizing the whole.

    A tokenizer that pre-splits never joins characters across the border of two words. After a line break that stands
    between two characters that are not white space, GPT-2's pattern always has such a border, and so have those of
    tiktoken's later encodings. A text without such places stays in one piece.
    """
    borders = [0]
    for place in re.finditer(r"(?<=\S)\n(?=\S)", text):
        if place.end() - borders[-1] >= size:
            borders.append(place.end())
    return [text[start:end] for start, end in zip(borders, [*borders[1:], len(text)], strict=True)]


def _finished(out: Path, identity: Identity) -> TokenFiles | None:
    """The token files that `out` holds, if they are whole and of this identity; None if they have to be made."""
    if not (out / JSON_NAME).exists():
        return None
    facts = read_facts(out)
    if facts.identity != identity:
        raise DataError(
            f"This folder holds token files of something else: {facts.corpus} by {facts.identity.tokenizer} "
            f"(vocabulary {facts.vocab_size}, val_fraction {facts.identity.val_fraction}).",
            out,
            "choose another folder, or delete this one if you don't need it any more",
        )
    try:
        open_tokens(out)
    except DataError:
        return None  # a file is missing or was changed: make it again
    return facts


def _open(folder: Path, split: SplitFile, facts: TokenFiles) -> np.ndarray:
    path = folder / split.file
    dtype = np.dtype(facts.dtype).newbyteorder("<")
    try:
        with path.open("rb") as file:
            right = hashlib.file_digest(file, "sha256").hexdigest() == split.sha256
    except OSError as error:
        raise DataError(f"The file can't be read: {error.strerror}.", path, "prepare the corpus again") from error
    if not right:
        raise DataError(
            f"The file has another checksum than {JSON_NAME} says.", path, "prepare the corpus again: it was changed"
        )
    return np.memmap(path, dtype=dtype, mode="r")


def _tokenize(texts: dict[Path, str], tokenizer: Tokenizer, dtype: np.dtype, workers: int) -> None:
    """Writes the ids of each text into its file, in parallel, with a progress bar. Finished files stay as they are."""
    import datasets

    to_do = {str(path): text for path, text in texts.items() if not path.exists()}
    if not to_do:
        return
    rows = datasets.Dataset.from_dict({"path": list(to_do), "text": list(to_do.values())})
    workers = min(workers, len(to_do))
    rows.map(
        _tokenize_piece,
        fn_kwargs={"tokenizer": tokenizer, "dtype": dtype},
        remove_columns=rows.column_names,
        keep_in_memory=True,
        new_fingerprint=tokenizer.sha256[:16],  # spares `datasets` hashing the tokenizer; its cache isn't used here
        num_proc=workers if workers > 1 else None,
        desc=f"Tokenizing with {tokenizer.kind}",
    )


def _tokenize_piece(row: dict, tokenizer: Tokenizer, dtype: np.dtype) -> dict:
    path, text = Path(row["path"]), row["text"]
    try:
        ids = np.array(tokenizer.encode(text), dtype=np.int64)
        back = tokenizer.decode(ids.tolist())
    except Exception as error:  # a student's tokenizer may raise anything
        raise DataError(
            f"The tokenizer raised {type(error).__name__}: {error}.",
            f"{path.stem}, which begins with {text[:40]!r}",
            "try encode and decode on this text by hand; the finished pieces are kept",
        ) from error
    if ids.ndim != 1 or (ids.size and not 0 <= ids.min() <= ids.max() < tokenizer.vocab_size):
        raise DataError(
            f"The tokenizer gave ids that are not a list of numbers from 0 to {tokenizer.vocab_size - 1}.",
            f"{path.stem}, which begins with {text[:40]!r}",
            "compare vocab_size with the largest id that encode gives",
        )
    if back != text:
        place = next((i for i, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), min(len(text), len(back)))
        raise DataError(
            f"Decoding the ids does not give the text back: {back[place : place + 20]!r} instead of "
            f"{text[place : place + 20]!r}.",
            f"{path.stem}, character {place}",
            "try decode(encode(text)) on this text by hand",
        )
    with cache.replacing(path) as file:
        file.write(ids.astype(dtype).tobytes())
    return {"tokens": len(ids)}


def _join(paths: Sequence[Path], out: Path, text: str, dtype: np.dtype) -> SplitFile:
    """Writes the pieces of a split's text one after the other into `out`."""
    digest = hashlib.sha256()
    size = 0
    with cache.replacing(out) as file:
        for path in paths:
            ids = path.read_bytes()
            digest.update(ids)
            size += len(ids)
            file.write(ids)
    return SplitFile(out.name, size // dtype.itemsize, len(text), len(text.encode()), digest.hexdigest())
