"""Writes files so that a reader sees the old content or the new one, never half of either."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` only if the block ends well; else it vanishes and `path` stays.

    It holds against a process that is killed, not against a power cut: waiting for the disk takes 4 ms, which a class's
    reports would feel. A caller that can't make the file again calls os.fsync in the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(partial, 0o644)  # mkstemp gives 0600
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)
