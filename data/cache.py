"""Where downloads are kept, and how a failed write is told."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from data import files
from data.errors import writing_failed


def root() -> Path:
    """The project's cache: GPT_LADDER_CACHE if set, else ~/.cache/gpt-ladder."""
    named = os.environ.get("GPT_LADDER_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "gpt-ladder"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """`files.replacing` for what took long to get: it waits until the disk has it.

    Raises DataError if the disk is full or the folder can't be written.
    """
    try:
        with files.replacing(path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise writing_failed(error, path) from error
