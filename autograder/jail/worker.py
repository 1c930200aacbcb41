"""The trusted end of one jailed worker: sends requests, waits no longer than allowed, believes nothing."""

import contextlib
import os
import selectors
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from autograder.jail.inside import wire
from autograder.jail.template import JailError, Limits, Template

MAX_REPLY = 16 << 20
MAX_REPLIES = 64 << 20  # all bytes that one item may get from the worker; honest ones get a tenth at most
MAX_QUESTIONS = 50_000  # to the instruments, in one item
MAX_OUTPUT = 1 << 20
START_SECONDS = 30.0
Answer = Callable[[Any], tuple[bool, Any]]
DYING_SECONDS = 0.5  # after its connection closed; so that it ends by itself and the exit code is its own


class WorkerLost(Exception):
    """The worker is gone; the message says how it ended. What it printed last is in `output`."""

    status: Literal["crashed", "timeout"] = "crashed"

    def __init__(self, message: str, output: str = ""):
        super().__init__(message)
        self.output = output


class WorkerDied(WorkerLost):
    """It ended by itself: os._exit, a signal, the memory limit."""


class WorkerTimeout(WorkerLost):
    """It did not answer in time."""

    status = "timeout"


class WorkerFlooded(WorkerLost):
    """It printed or answered more than anybody may."""


class BadReply(WorkerLost):
    """It answered with bytes that no honest worker sends."""


class Worker:
    """One submission in one process. `files` maps relative paths to bytes."""

    def __init__(self, template: Template, files: dict[str, bytes], limits: Limits):
        self._template = template
        self._folder = None if template.isolated else tempfile.mkdtemp(prefix="ladder-work-")
        self._socket, theirs = socket.socketpair()
        self._output_fd, output_theirs = os.pipe()
        os.set_blocking(self._output_fd, False)
        self._printed = bytearray()
        self._count = self._questions = self._received = 0
        self.alive = True
        self.memory_mb = limits.memory_mb
        with theirs:
            self._number = template.spawn(theirs, output_theirs, self._folder or "/work", limits)
        os.close(output_theirs)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._output_fd, selectors.EVENT_READ)
        self.deadline = time.monotonic() + START_SECONDS
        self._send([0, files])
        started, reason = self._receive(0)  # what comes before the submission's code runs can be believed
        if not started:
            self.close()
            raise JailError(f"the jail could not be closed behind a worker: {reason}")

    def request(self, operation: str, *arguments, answer: Answer):
        """(True, value) or (False, the description of what the student's code raised). Raises WorkerLost.

        `answer(question)` answers what the submission's stubs ask meanwhile: (True, value), or (False, why not).
        """
        self._count += 1
        self._send([self._count, operation, list(arguments)])
        while True:
            held, value = self._receive(self._count)
            if held is not None:
                return held, value
            self._send([self._count, *self._answered(value, answer)])

    def _answered(self, question, answer: Answer) -> tuple[bool, Any]:
        self._questions += 1
        if self._questions > MAX_QUESTIONS:
            self._lose(WorkerFlooded, f"it asked the check's own model or clock more than {MAX_QUESTIONS:,} times")
        try:
            return answer(question)
        except BadReply as error:
            self._lose(BadReply, str(error))

    def start_item(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._questions = self._received = 0
        self._printed.clear()

    def printed(self) -> str:
        """The last lines that the submission printed in this item."""
        return self._printed[-600:].decode(errors="replace").strip()

    def close(self, grace: float = 0.0) -> int | None:
        """Ends the worker, `grace` seconds from now at most; its exit code, or None when it was closed before."""
        if not self.alive:
            return None
        self.alive = False
        self._selector.close()
        self._socket.close()
        code = self._template.end(self._number, grace)
        self._read_what_is_left()
        os.close(self._output_fd)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        return code

    def _send(self, message) -> None:
        frame = memoryview(wire.encode(wire.portable(message, _no_stand_in)))
        self._socket.setblocking(False)
        while frame:
            try:
                frame = frame[self._socket.send(frame) :]
            except BlockingIOError:
                self._wait(selectors.EVENT_WRITE)  # for no answer: one that writes and never reads runs out of time
            except OSError:  # closed by the other side: the reply, or its absence, says why
                return

    def _receive(self, number: int):
        (size,) = wire.LENGTH.unpack(self._read_exactly(wire.LENGTH.size))
        if size > MAX_REPLY:
            self._lose(WorkerFlooded, f"the answer has {size >> 20:,} MiB; at most {MAX_REPLY >> 20} MiB are accepted")
        self._received += size
        if self._received > MAX_REPLIES:
            self._lose(WorkerFlooded, f"its answers have more than {MAX_REPLIES >> 20} MiB in all")
        try:
            reply = wire.decode(self._read_exactly(size))
        except wire.WireError as error:
            self._lose(BadReply, f"the worker sent a malformed answer ({error})")
        fits = isinstance(reply, list) and len(reply) == 3 and type(reply[0]) is int
        fits = fits and (reply[1] is None or isinstance(reply[1], bool))
        if not fits or reply[0] != number:
            self._lose(BadReply, "the worker sent an answer that belongs to no question")
        return reply[1], reply[2]

    def _read_exactly(self, size: int) -> bytearray:
        parts = bytearray()
        self._socket.setblocking(False)
        while len(parts) < size:
            try:
                part = self._socket.recv(min(size - len(parts), 1 << 20))
            except BlockingIOError:
                self._wait(selectors.EVENT_READ)
                continue
            except OSError:
                part = b""
            if not part:
                self._lose_dead()
            parts += part
            if time.monotonic() > self.deadline:
                self._lose(WorkerTimeout, "no answer within the time limit")
        return parts

    def _wait(self, events: int) -> None:
        """Waits for the connection, draining what the submission prints meanwhile."""
        self._selector.modify(self._socket, events)
        ready = self._selector.select(max(0.0, self.deadline - time.monotonic()))
        if not ready or time.monotonic() > self.deadline:  # what it prints without end is no answer
            self._lose(WorkerTimeout, "no answer within the time limit")
        if any(key.fd == self._output_fd for key, _ in ready):
            self._drain()

    def _drain(self) -> None:
        try:
            part = os.read(self._output_fd, 1 << 16)
        except BlockingIOError:
            return
        if not part:
            self._selector.unregister(self._output_fd)
        self._printed += part
        if len(self._printed) > MAX_OUTPUT:
            del self._printed[MAX_OUTPUT:]  # the report of a regrade shows the same lines
            self._lose(WorkerFlooded, f"it printed more than {MAX_OUTPUT >> 20} MiB: remove the print")

    def _lose(self, kind: type[WorkerLost], message: str) -> NoReturn:
        output = self.printed()
        self.close()
        raise kind(message, output)

    def _lose_dead(self) -> NoReturn:
        code = self.close(DYING_SECONDS) or 0
        raise WorkerDied(_obituary(code, self.memory_mb), self.printed())

    def _read_what_is_left(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._printed) < MAX_OUTPUT and (part := os.read(self._output_fd, 1 << 16)):
                self._printed += part
        del self._printed[MAX_OUTPUT:]


def _obituary(code: int, memory_mb: int) -> str:
    if code > 128:
        signal = 256 - code
        cause = {
            9: f"it was killed (more than {memory_mb} MiB of memory?)",
            11: "segmentation fault",
            24: "it used up its CPU time",
            25: "it wrote more to disk than allowed",
        }.get(signal, f"signal {signal}")
        return f"the process ended: {cause}"
    return f"the process ended with exit code {code} (os._exit?)"


def _no_stand_in(value):
    raise wire.WireError(f"a grader tried to send a {type(value).__name__}")
