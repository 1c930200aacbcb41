"""Shares jobs out over fresh processes, one job at a time each; a process that dies costs one retry, not the run."""

import multiprocessing
import multiprocessing.connection
import os
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection

from autograder.errors import HarnessFault

MAX_ATTEMPTS = 2


def share_out(jobs: Iterable, serve: Callable, arguments: tuple = (), *, per_core: int = 1) -> Iterator:
    """Yields (job, answer) as answers come. `serve(connection, *arguments)` runs in each process: see `requests`.

    Raises HarnessFault if a job has ended its process twice.
    """
    context = multiprocessing.get_context("spawn")  # never a fork of a process that has torch
    queue = list(reversed(list(jobs)))
    attempts: dict[int, int] = {}
    busy: dict[Connection, object] = {}
    started = []

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        feed(ours)

    def feed(connection: Connection) -> None:
        busy.pop(connection, None)
        if queue:
            busy[connection] = queue.pop()
            connection.send(busy[connection])
        else:
            connection.close()

    for _ in range(min(per_core * (os.cpu_count() or 1), len(queue))):
        start()
    while busy:
        ready = multiprocessing.connection.wait(list(busy))
        for connection in [there for there in busy if there in ready]:
            job = busy[connection]
            try:
                answer = connection.recv()
            except EOFError:
                del busy[connection]
                attempts[id(job)] = attempts.get(id(job), 0) + 1
                if attempts[id(job)] >= MAX_ATTEMPTS:
                    raise HarnessFault(f"the grader process died twice on {job}") from None
                queue.append(job)
                start()
            else:
                yield job, answer
                feed(connection)
    for process in started:
        process.join()


def requests(connection: Connection) -> Iterator:
    """In a serving process: the jobs, one after the other; each is answered with `connection.send`."""
    while True:
        try:
            yield connection.recv()
        except EOFError:
            return
