"""The trusted side of the gate: it asks the reader process, waits so long and no longer, and checks what it says."""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from autograder.intake.messages import LENGTH, MAX_ANSWER, Answer, Request, frame
from autograder.intake.reader import WALL_SECONDS
from autograder.submission import MAX_FILE, MAX_TOTAL, Submission, digest, readable, unfit

PATIENCE = WALL_SECONDS + 5
ATTEMPTS = 2  # what ended a reader may have been the machine
ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-X", "utf8", "-m", "autograder.intake.reader"]  # -P: imports nothing from here

_answers = msgspec.msgpack.Decoder(Answer)


class ReaderLost(Exception):
    """The reader process died, hung, flooded, or said what cannot be; the message says which."""


class Reader:
    """Reads hand-ins, one after the other, through one reader process, which it starts when it first needs it.

    packages: top folders of a workspace, by which a workspace is told from a folder around it.
    """

    def __init__(self, packages: Iterable[str], *, command: list[str] = COMMAND, patience: float = PATIENCE):
        self._packages = list(packages)
        self._command = command
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_) -> None:
        self._stop()

    def read(self, path: Path, assignment: str | None = None, *, own: bool = False) -> Submission:
        """The submission at `path`, in nbgrader's folder `assignment` in it if that is given.

        No link is followed from `path` on; if it is the asker's own, it may be a link itself. What cannot be read is an
        empty submission with a finding that says why.
        """
        place = os.path.realpath(path) if own else path
        request = frame(Request(os.fsencode(place), assignment, self._packages))
        trouble = ""
        for _ in range(ATTEMPTS):
            try:
                answer = self._ask(request)
            except ReaderLost as lost:
                self._stop()
                trouble = f"{path.name} could not be read: {lost}"
            else:
                return Submission(readable(str(path)), digest(answer.files), answer.files, answer.findings)
        return Submission(readable(str(path)), digest({}), {}, [readable(trouble)])

    def _ask(self, request: bytes) -> Answer:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except OSError:
            raise ReaderLost("its reader ended") from None
        deadline = time.monotonic() + self._patience
        size = LENGTH.unpack(self._receive(LENGTH.size, deadline))[0]
        if size > MAX_ANSWER:
            raise ReaderLost("its reader said too much")
        return checked(self._receive(size, deadline))

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            bufsize=0,
        )

    def _receive(self, size: int, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        received = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while len(received) < size:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ReaderLost(f"it took more than {WALL_SECONDS} seconds")
                part = os.read(self._process.stdout.fileno(), size - len(received))
                if not part:
                    raise ReaderLost("its reader ended: it takes too much time or memory")
                received += part
        return bytes(received)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            with self._process:  # closes the pipes, and waits
                pass
            self._process = None


def environment() -> dict[str, str]:
    """The reader's environment: what it imports must not depend on the folder that it runs in."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(ROOT), *(path for path in given if os.path.isabs(path))]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def checked(body: bytes) -> Answer:
    """The answer in a frame's body. Raises ReaderLost if it is not what a reader within its limits says."""
    try:
        answer = _answers.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ReaderLost("its reader said what is not an answer") from None
    sizes = [len(content) for content in answer.files.values()]
    inside = all(name and not name.startswith("/") and ".." not in name.split("/") for name in answer.files)
    if not inside or any(unfit(name) for name in answer.files):
        raise ReaderLost("its reader named a file that cannot be")
    if sum(sizes) > MAX_TOTAL or any(size > MAX_FILE for size in sizes):
        raise ReaderLost("its reader said too much")
    return answer
