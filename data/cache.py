"""Where downloads are kept, and how a file is written so that nobody ever sees half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from data.errors import writing_failed


def root() -> Path:
    """The project's cache: GPT_LADDER_CACHE where set, else ~/.cache/gpt-ladder."""
    named = os.environ.get("GPT_LADDER_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "gpt-ladder"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` only when the block ends well; else it vanishes and `path` stays.

    Raises DataError where the disk is full or the folder can't be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise writing_failed(error, path) from error
    finally:
        partial.unlink(missing_ok=True)
