"""The reader process: it answers each request on its standard input with what it read, and imports nothing heavy.

It limits itself before it reads a byte of anybody's. A hand-in that can't be read within the limits ends this process,
and the gate starts another.
"""

import contextlib
import resource
import signal
import sys

import msgspec

from autograder.intake import hand_in
from autograder.intake.messages import LENGTH, Answer, Request, frame

MEMORY = 1 << 30
CPU_SECONDS = 15  # per hand-in
WALL_SECONDS = 30  # per hand-in; the gate waits a little longer


def limit() -> None:
    """The limits that hold for good."""
    lower(resource.RLIMIT_AS, MEMORY)
    lower(resource.RLIMIT_FSIZE, 0)  # it writes to nothing but its pipe
    lower(resource.RLIMIT_CORE, 0)


def lower(which: int, value: int) -> None:
    """Sets a limit, and keeps one that is lower already."""
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError):  # macOS knows RLIMIT_AS and refuses to set it
        resource.setrlimit(which, (value, value))


def begin() -> None:
    """The limits of one hand-in, from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    signal.alarm(WALL_SECONDS)  # holds if the gate is gone, too


def main() -> None:
    limit()
    while header := sys.stdin.buffer.read(LENGTH.size):
        request = msgspec.msgpack.decode(sys.stdin.buffer.read(*LENGTH.unpack(header)), type=Request)
        begin()
        taken = hand_in.read(request.path, request.assignment, set(request.packages))
        answer = frame(Answer(taken.files, taken.findings))
        signal.alarm(0)
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
