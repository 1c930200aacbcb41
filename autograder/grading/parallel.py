"""Shares jobs out over fresh processes, one job at a time each. A serving process is expendable.

Whatever a submission makes its process do, it costs that job and no other one: a process that dies or shows no sign of
life is replaced, its job gets one more attempt, and what ends two processes is yielded as `Lost`.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from autograder.errors import HarnessFault

MAX_ATTEMPTS = 2
START_SECONDS = 300.0  # a busy machine needs a while to import torch
QUIET_SECONDS = 60.0  # between two signs of life, unless a process asked for more time
GRACE_SECONDS = 15.0
MEMORY = 1 << 30  # bytes of address space that a serving process may add to what it has when it begins


class Lost(msgspec.Struct, frozen=True):
    """A job that ended two processes; `reason` says how the last one ended."""

    reason: str


class _Within(msgspec.Struct, frozen=True):
    """A sign of life: the next one follows within so many seconds."""

    seconds: float


class _Ready(msgspec.Struct, frozen=True):
    """The process can serve now."""


class _Broken(msgspec.Struct, frozen=True):
    """The last words of a process: the exception that ended it."""

    reason: str


class Lifeline:
    """The serving end. A process that must think for longer than QUIET_SECONDS says so before."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def within(self, seconds: float) -> None:
        self._connection.send(_Within(seconds))

    def requests(self) -> Iterator[tuple[Any, Callable[[Any], None]]]:
        """(job, answer) one after the other; `answer` must be called once for each job."""
        _limit_memory()
        self._connection.send(_Ready())
        while True:
            try:
                job = self._connection.recv()
            except EOFError:
                return
            yield job, self._answer

    def _answer(self, value) -> None:
        with contextlib.suppress(BrokenPipeError):  # the run was killed; what is written stays
            self._connection.send(value)


def _limit_memory() -> None:
    """The soft limit alone: a worker, which descends from this process, has a limit of its own."""
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # not Linux, so there is no jail either: these submissions are trusted
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))


def _run(serve: Callable, connection: Connection, arguments: tuple) -> None:
    try:
        serve(Lifeline(connection), *arguments)
    except BaseException as error:  # said to the parent, which knows what it means
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {str(error)[:2000]} ({os.path.basename(last.filename)}:{last.lineno})"
        with contextlib.suppress(OSError):
            connection.send(_Broken(reason))
        os._exit(1)


class _Server:
    """One process, as the parent sees it: its job, and when the next sign of life is due."""

    def __init__(self, context, serve: Callable, arguments: tuple, job):
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_run, args=(serve, theirs, arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.last_words = ""
        self.due = 0.0
        self.give(job)
        self.within(START_SECONDS)

    def give(self, job) -> None:
        self.job = job
        self.within(QUIET_SECONDS)
        with contextlib.suppress(BrokenPipeError):  # it has just died: that it is gone shows when it is heard next
            self.connection.send(job)

    def within(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds + GRACE_SECONDS

    def hear(self):
        """What the process said; None if it is gone, broken, or overdue."""
        if not self.connection.poll():
            self.last_words = "it showed no sign of life in time"
            return None
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(message, _Broken):
            self.last_words = message.reason
            return None
        return message

    def end(self) -> str:
        """Ends the process, and says how it ended."""
        self.process.join(0.0 if self.last_words else GRACE_SECONDS)  # one that closed its connection is about to go
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.connection.close()
        code = self.process.exitcode or 0
        return self.last_words or (signal.Signals(-code).name if code < 0 else f"exit code {code}")


def share_out(jobs: Iterable, serve: Callable, arguments: tuple = (), *, per_core: int = 1) -> Iterator:
    """Yields (job, answer) as answers come; the answer to a job that ended two processes is `Lost`.

    `serve(lifeline, *arguments)` runs in each process: see `Lifeline.requests`. Raises HarnessFault if processes end
    before they are ready for any job.
    """
    context = multiprocessing.get_context("spawn")  # never a fork of a process that has torch
    queue = list(reversed(list(jobs)))
    attempts: dict[int, int] = {}
    servers: list[_Server] = []
    ending: list[_Server] = []
    false_starts = 0
    try:
        for _ in range(min(per_core * (os.cpu_count() or 1), len(queue))):
            servers.append(_Server(context, serve, arguments, queue.pop()))
        while servers:
            for server in _heard_of(servers):
                job, message = server.job, server.hear()
                if isinstance(message, _Ready):
                    server.ready = True
                    server.within(QUIET_SECONDS)
                elif isinstance(message, _Within):
                    server.within(message.seconds)
                elif message is not None:
                    yield job, message
                    if queue:
                        server.give(queue.pop())
                    else:
                        servers.remove(server)
                        ending.append(server)
                        server.connection.close()
                else:
                    servers.remove(server)
                    reason = server.end()
                    if not server.ready:
                        false_starts += 1
                        if false_starts >= MAX_ATTEMPTS:
                            raise HarnessFault(f"a grader process could not start: {reason}")
                        queue.append(job)
                    else:
                        attempts[id(job)] = attempts.get(id(job), 0) + 1
                        if attempts[id(job)] < MAX_ATTEMPTS:
                            queue.append(job)
                        else:
                            yield job, Lost(reason)
                    if queue:
                        servers.append(_Server(context, serve, arguments, queue.pop()))
    finally:
        for server in [*servers, *ending]:
            server.process.join(GRACE_SECONDS if server in ending else 0.0)
            if server.process.is_alive():
                server.process.kill()
            server.process.join()


def _heard_of(servers: list[_Server]) -> list[_Server]:
    """The servers that said something, are gone, or should have said something by now."""
    seconds = max(0.0, min(server.due for server in servers) - time.monotonic())
    ready = multiprocessing.connection.wait([server.connection for server in servers], seconds)
    now = time.monotonic()
    return [server for server in servers if server.connection in ready or now > server.due]
