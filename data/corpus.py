"""One way to any text: the embedded corpus, a registered one, a file, or an address."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data import cache, download, embedded, registry
from data.errors import DataError, writing_failed

# Below this a validation split of a tenth holds no window to speak of.
MIN_CHARACTERS = 1_000
UNKNOWN_LICENCE = "unknown"


@dataclass(frozen=True)
class Corpus:
    """A text and where it is from.

    name:    what it was asked for by
    text:    every character of it, line ends as "\\n"
    sha256:  of the file's bytes
    licence: "unknown" for a file or an address that nobody registered
    source:  the path or address that served it
    """

    name: str
    text: str
    sha256: str
    licence: str
    source: str

    def splits(self, val_fraction: float = 0.1) -> tuple[str, str]:
        """(train, val), contiguous: the first N - int(N * val_fraction) characters are train, as in rung 1."""
        border = len(self.text) - int(len(self.text) * val_fraction)
        return self.text[:border], self.text[border:]


def load(name: str | Path) -> Corpus:
    """The corpus of this name, path or address (http, https; "#sha256=…" at its end makes it checked).

    Raises DataError with what, where and what next: no network, wrong checksum, bytes that are not UTF-8, an empty or
    too short file, a full disk, an unknown name.
    """
    name = str(name)
    known = registry.corpora()
    if name in known:
        return _registered(name, known[name])
    if re.match(r"https?://", name):
        url, _, fragment = name.partition("#")
        sha256 = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else None
        path = download.fetch(url, sha256)
        return _from_file(name, path, licence=UNKNOWN_LICENCE, source=url)
    if not Path(name).exists():
        raise DataError(
            "There is no corpus of this name, and no such file.",
            name,
            f"use one of {', '.join(known)}, the path of a text file, or an address that begins with https://",
        )
    return _from_file(name, Path(name), licence=UNKNOWN_LICENCE, source=name)


def available(name: str) -> Corpus | None:
    """The registered corpus, if it can be had without the network; else None."""
    entry = registry.corpora()[name]
    if entry.url is None or _local_copy(entry) is not None or download.is_cached(entry.url, entry.sha256):
        return _registered(name, entry)
    return None


def _registered(name: str, entry: registry.Entry) -> Corpus:
    if entry.url is None:
        return Corpus(name, embedded.text(), embedded.SHA256, entry.licence, source="generated")
    local = _local_copy(entry)
    if local is None:
        path = download.fetch(entry.url, entry.sha256)
        return _from_file(name, path, licence=entry.licence, source=entry.url)
    corpus = _from_file(name, local, licence=entry.licence, source=str(local))
    if corpus.sha256 != entry.sha256:
        raise DataError(
            f"This file is not {name}: its checksum is {corpus.sha256} instead of {entry.sha256}.",
            local,
            f"let {entry.local_copy} name an unchanged copy, or unset it to download one; to use this file as it is, "
            "give its path instead of the name",
        )
    return corpus


def _local_copy(entry: registry.Entry) -> Path | None:
    """The file that the entry's environment variable names, if it is set."""
    named = os.environ.get(entry.local_copy) if entry.local_copy else None
    return Path(named).expanduser() if named else None


def _from_file(name: str, path: Path, *, licence: str, source: str) -> Corpus:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The file can't be read: {error.strerror}.", path, "check the path and whether you may read it"
        ) from error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"This is not UTF-8 text: byte {error.start} (counted from 0) is 0x{raw[error.start]:02x}, {error.reason}.",
            source,
            "convert the file first, for instance: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from error
    if len(text) < MIN_CHARACTERS:
        raise DataError(
            f"The text is {'empty' if not text else f'too short: {len(text)} characters'}. "
            f"At least {MIN_CHARACTERS} are needed to split off something to validate on.",
            source,
            "choose a longer text; a million characters make a good corpus",
        )
    through = _read_through_datasets(path)
    if through != text.replace("\r\n", "\n").replace("\r", "\n"):
        raise DataError(
            "The file changed while it was read.", source, "run the same command again when nobody writes to the file"
        )
    return Corpus(name, through, hashlib.sha256(raw).hexdigest(), licence, source)


def _read_through_datasets(path: Path) -> str:
    """The file as one document of `datasets`' text loader, which also turns every line end into "\\n".

    By default that loader splits into lines and drops their ends; `sample_by="document"` keeps each character. Its own
    copy is scratch: what the cache keeps is the file itself, under its checksum.
    """
    import datasets

    try:
        cache.root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".reading-", dir=cache.root()) as scratch, quiet():
            rows = datasets.load_dataset(
                "text",
                data_files=str(path),
                sample_by="document",
                split="train",
                cache_dir=scratch,
                keep_in_memory=True,
            )
            return rows[0]["text"]
    except datasets.exceptions.DatasetGenerationError as error:
        if isinstance(error.__cause__, OSError):
            raise writing_failed(error.__cause__, cache.root()) from error
        raise DataError(
            f"`datasets` can't read this file: {error.__cause__ or error}.", path, "check that it is plain text"
        ) from error
    except OSError as error:
        raise writing_failed(error, cache.root()) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bar of `datasets`, for work that takes no time."""
    import datasets

    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
