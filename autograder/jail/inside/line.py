"""The worker's end of the connection: requests come in, answers go out, and a stub can ask in between.

An instrument's state and its record live on the trusted side. What is here of it is a stub that asks:

    logits = line.ask(number, "logits", idx)      # `number`: what `student.lend(instrument)` gave the stub

An answer that is a refusal is raised here as ValueError.
"""

import socket
import threading

import wire

MAX_REQUEST = 1 << 28

_line = None  # the Line of this worker, set when it begins to serve


class Line:
    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.number = 0  # of the request that is being answered
        self.lock = threading.Lock()  # the submission's threads may use one model

    def read(self):
        """The next message, or None when the other side has closed."""
        header = self._read_exactly(wire.LENGTH.size)
        if header is None:
            return None
        (size,) = wire.LENGTH.unpack(header)
        if size > MAX_REQUEST:
            raise wire.WireError(f"a request of {size} bytes")
        return wire.decode(self._read_exactly(size))

    def _read_exactly(self, size: int):
        parts = bytearray()
        while len(parts) < size:
            part = self.connection.recv(min(size - len(parts), 1 << 20))
            if not part:
                return None
            parts += part
        return parts

    def ask(self, instrument: int, method: str, arguments: list):
        with self.lock:
            question = wire.portable([self.number, None, [instrument, method, arguments]], _no_stand_in)
            self.connection.sendall(wire.encode(question))
            _, granted, value = self.read()
        if not granted:
            raise ValueError(value)
        return value


def open_line(connection: socket.socket) -> Line:
    global _line
    _line = Line(connection)
    return _line


def ask(instrument: int, method: str, *arguments):
    """What the trusted side's instrument answers. Raises ValueError if it refuses."""
    return _line.ask(instrument, method, list(arguments))


def _no_stand_in(value):
    raise wire.WireError(f"a {type(value).__name__} can't be part of a question")
