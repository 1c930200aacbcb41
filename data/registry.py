"""The corpora that are known by name: corpora.toml, read into records."""

from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("corpora.toml")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a corpus without having it.

    sha256: of the whole file
    url: where it can be downloaded; None for the embedded corpus
    local_copy: the environment variable that may name a local copy, which then serves before the network
    """

    title: str
    licence: str
    bytes: int
    sha256: str
    url: str | None = None
    local_copy: str | None = None


def corpora() -> dict[str, Entry]:
    """Name -> what is known of it, in the order of the file."""
    return msgspec.toml.decode(FILE.read_bytes(), type=dict[str, Entry])
