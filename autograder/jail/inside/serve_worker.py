"""The worker: holds one submission and answers requests about it, one at a time.

It knows no expected value. A student who takes over this process can answer whatever they like, which is no more than
their own code could have answered anyway.
"""

import contextlib
import os
import socket
import sys

import faults
import line
import operations
import wire
from allowed import Allowed


def serve(connection: socket.socket, folder: str, instruments: str, listed: Allowed) -> None:
    """Answers until the connection closes. The first frame carries the submission's files."""
    ours = line.open_line(connection)
    _, files = ours.read()
    unpack(files, folder)
    os.chdir(folder)
    sys.path.append(folder)
    connection.sendall(wire.encode([0, True, None]))
    session = operations.Session(folder, instruments, listed)
    while (request := ours.read()) is not None:
        ours.number = request[0]
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
