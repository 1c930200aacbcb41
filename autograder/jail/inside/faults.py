"""Describes an exception raised by student code: type, message, and the student's own file and line."""

import linecache
import os

MAX_MESSAGE = 2000


class NotAllowed(RuntimeError):
    """A library shortcut that the current item forbids; called in `file`, at `line`, as far as that is known."""

    file: str | None = None
    line: int | None = None


class MissingName(Exception):
    """A module or name that the student has not written."""

    def __init__(self, message, file=None):
        super().__init__(message)
        self.file = file


def describe(error: BaseException, folder: str) -> dict:
    """What the trusted side learns of `error`. Never raises, whatever the exception object does."""
    file, line = _student_frame(error, folder)
    if isinstance(error, SyntaxError) and isinstance(error.filename, str):
        file, line = _relative(error.filename, folder) or file, error.lineno
    if isinstance(error, MissingName):
        file = error.file
    if isinstance(error, NotAllowed) and error.file is not None:
        file, line = error.file, error.line
    source = linecache.getline(os.path.join(folder, file), line).strip() if file and line else ""
    return {
        "kind": "missing" if isinstance(error, (MissingName, NotImplementedError)) else "raised",
        "type": type(error).__name__[:200],
        "bases": [base.__name__[:200] for base in type(error).__mro__][:20],
        "message": _message(error),
        "file": file,
        "line": line,
        "source": source[:300],
    }


def _message(error) -> str:
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        return str.__str__(text)[:MAX_MESSAGE].encode("utf-8", "replace").decode()
    except BaseException:  # the student's own __str__ may do anything, SystemExit included
        return "(the exception's message could not be read)"


def _relative(path, folder):
    root = folder.rstrip("/") + "/"
    return path[len(root) :] if path.startswith(root) else None


def _student_frame(error, folder):
    """The innermost frame of the student's own code."""
    found = None, None
    traceback = error.__traceback__
    while traceback is not None:
        file = _relative(traceback.tb_frame.f_code.co_filename, folder)
        if file is not None:
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found
