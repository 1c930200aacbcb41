"""The worker: holds one submission and answers requests about it, one at a time.

It knows no expected value. A student who takes over this process can answer whatever they like, which is no more than
their own code could have answered anyway.
"""

import contextlib
import os
import socket
import sys

import faults
import operations
import wire
from allowed import Allowed

MAX_REQUEST = 1 << 28


def serve(connection: socket.socket, folder: str, instruments: str, listed: Allowed) -> None:
    """Answers until the connection closes. The first frame carries the submission's files."""
    _, files = read_frame(connection)
    unpack(files, folder)
    os.chdir(folder)
    sys.path.append(folder)
    connection.sendall(wire.encode([0, True, None]))
    session = operations.Session(folder, instruments, listed)
    while (request := read_frame(connection)) is not None:
        connection.sendall(answer(session, request, folder))


def refuse(connection_fd: int, reason: str) -> None:
    """Says in place of the first answer why there is no jail to serve in."""
    os.write(connection_fd, wire.encode([0, False, reason]))


def unpack(files: dict[str, bytes], folder: str) -> None:
    for path, data in files.items():
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(data)


def answer(session, request, folder) -> bytes:
    number, operation, arguments = request
    try:
        reply = [number, True, session.portable(session.do(operation, arguments))]
        return wire.encode(reply)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the student's too
        reply = [number, False, faults.describe(error, folder)]
        return wire.encode(reply)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):  # the student may have replaced or closed them
                stream.flush()


def read_frame(connection):
    """The next request, or None when the other side has closed."""
    header = read_exactly(connection, wire.LENGTH.size)
    if header is None:
        return None
    (size,) = wire.LENGTH.unpack(header)
    if size > MAX_REQUEST:
        raise wire.WireError(f"a request of {size} bytes")
    return wire.decode(read_exactly(connection, size))


def read_exactly(connection, size):
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return parts
