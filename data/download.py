"""Brings a file from an address into the cache: whole, checked, or not at all."""

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from data import cache
from data.errors import DataError

CHUNK = 1 << 20
TIMEOUT_SECONDS = 30


def cached_path(url: str) -> Path:
    """Where the file of this address is kept. The name ends like the address, so that a person can recognise it."""
    name = Path(urllib.parse.urlsplit(url).path).name or "index"
    return cache.root() / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_cached(url: str, sha256: str | None) -> bool:
    """Is the file of this address in the cache, undamaged? Without a known checksum, its own at the download counts."""
    path = cached_path(url)
    note = _note(path)
    if sha256 is None and note.exists():
        sha256 = note.read_text().strip()
    return path.exists() and checksum(path) == sha256


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def fetch(url: str, sha256: str | None) -> Path:
    """The path of the downloaded file. What the cache has is used if its checksum is right, else it is fetched again.

    Without a known checksum the first download's own is kept beside it, so that a damaged cache is noticed.
    Raises DataError: no network, an answer other than 200, a broken connection, a wrong checksum, a full disk.
    """
    path = cached_path(url)
    if is_cached(url, sha256):
        return path
    digest = hashlib.sha256()
    with cache.replacing(path) as file:
        received = 0
        for chunk in _chunks(url):
            digest.update(chunk)
            received += len(chunk)
            file.write(chunk)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise DataError(
                f"The download has another checksum than it should: {digest.hexdigest()} instead of {sha256} "
                f"({received} bytes). It was thrown away.",
                url,
                "try again; if it stays so, the file at that address has changed or something on the way alters it. "
                "Download it by other means and give its path instead",
            )
    with cache.replacing(_note(path)) as file:
        file.write(digest.hexdigest().encode() + b"\n")
    return path


def _chunks(url: str):
    """The bytes at an address, a megabyte at a time; every failure of the network is a DataError."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            announced = answer.headers.get("Content-Length")
            received = 0
            while chunk := answer.read(CHUNK):
                received += len(chunk)
                yield chunk
    except urllib.error.HTTPError as error:
        raise DataError(
            f"The server answered {error.code} {error.reason}.", url, "check the address in a browser"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"The download failed: {reason}.",
            url,
            "check the network and try again; a file that you already have can be given by its path, and the corpus "
            "`embedded` needs no network",
        ) from error
    if announced is not None and received != int(announced):
        raise DataError(
            f"The connection broke off after {received} of {announced} bytes.", url, "try again; nothing was kept"
        )
