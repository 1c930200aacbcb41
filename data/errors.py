"""The one exception of this package, and how the system's own messages become it."""

import errno


class DataError(Exception):
    """A corpus or a token file cannot be had. Nothing was half written, and nothing that was there is lost.

    what: one sentence, what is wrong
    where: the file, address or folder
    next_step: what the reader can do about it
    """

    def __init__(self, what: str, where: object, next_step: str):
        super().__init__(what, str(where), next_step)  # all three, so that it can travel between processes
        self.what = what
        self.where = str(where)
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  what next: {self.next_step}"


def writing_failed(error: OSError, where: object) -> DataError:
    """What an OSError during a write means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DataError(
            f"There is no room to write ({error.strerror}). What was written of this file was removed.",
            where,
            "free some space, or choose another folder (GPT_LADDER_CACHE for downloads, OUT for token files), then "
            "run the same command again: what was finished is kept",
        )
    return DataError(
        f"Writing failed: {error.strerror or error}.",
        where,
        "check that the folder exists and is yours, or choose another one (GPT_LADDER_CACHE for downloads, OUT for "
        "token files)",
    )
