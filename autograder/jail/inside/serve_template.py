"""The warm template: a process that has torch imported and forks one worker per submission and rung.

It never runs student code and never starts a thread (a fork after one multi-threaded matrix product hangs). Orders
arrive on the control socket as JSON, one datagram each; a spawn order brings two descriptors, the worker's connection
and the pipe for what it prints.
"""

import contextlib
import gc
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback

import forbid
import isolate
import serve_worker
import torch
import torch._dynamo  # the first optimizer or dispatch mode would import it in every worker, for a second
from allowed import Allowed

CONNECTION_FD, OUTPUT_FD = 3, 4
DYING_SECONDS = 2.0


def main() -> None:
    options = json.loads(sys.argv[1])
    control = socket.socket(fileno=options["control_fd"])
    workers: dict[int, tuple[int, int]] = {}  # number -> (pid to wait for, pid to kill)
    forbid.look_up_kernels(options["operators"])
    listed = Allowed(options["allowed"])
    warm_up()
    multiprocessing.set_start_method("fork")  # newer Pythons start processes with execve, which workers may not
    control.send(b'{"order": 0}')
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not data:
            return
        order = json.loads(data)
        if order["do"] == "spawn":
            answer = spawn(order, descriptors, options, listed, workers)
        else:
            answer = end(order, options, workers)
        control.send(json.dumps(answer | {"order": order["order"]}).encode())


def warm_up() -> None:
    """Does once what every worker would do at its first call. All of it in this thread: threads do not survive a fork.

    torch asks /proc what the processor can do, and workers have no /proc: they would compute with its slowest kernels.
    """
    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.float64):
        x = torch.ones(2, 3, dtype=dtype)
        (torch.nn.functional.linear(x, x).softmax(-1) @ x).sum()
    shortcuts = forbid.Forbidden()
    shortcuts.forbid_operators({kernel: name for name, kernels in forbid.KERNELS.items() for kernel in kernels})
    shortcuts.allow_all()
    gc.collect()
    gc.freeze()  # a worker's collector need not look at, and so copy, what it shares with the template
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("warming up has started threads: a worker forked from here would hang")


def spawn(order, descriptors, options, listed, workers) -> dict:
    reader, writer = os.pipe()
    outer = os.fork()
    if outer == 0:
        os.close(reader)
        guardian(order, descriptors, options, listed, writer)
    os.close(writer)
    for descriptor in descriptors:
        os.close(descriptor)
    with os.fdopen(reader) as pipe:
        told = json.loads(pipe.read() or '{"error": "the worker\'s guardian died at once"}')
    if "error" in told:
        os.waitpid(outer, 0)
        return told
    workers[order["number"]] = (outer, told["pid"])
    return {"pid": told["pid"]}


def guardian(order, descriptors, options, listed, writer) -> None:
    """Unshares, forks the worker as process 1 of a new pid namespace, and passes on how it ended."""
    try:
        if options["isolated"]:
            isolate.new_namespaces(options["as_root"])
        opened = isolate.descriptors()  # looked up in time: the worker will cover /proc for its guardian, too
        pid = os.fork()
    except OSError as error:
        os.write(writer, json.dumps({"error": str(error)}).encode())
        os._exit(1)
    if pid == 0:
        os.close(writer)
        become_worker(order, descriptors, options, listed)
    os.write(writer, json.dumps({"pid": pid}).encode())
    isolate.close(opened)
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def become_worker(order, descriptors, options, listed) -> None:
    connection, output = (os.dup2(fd, 100 + i) for i, fd in enumerate(descriptors))
    os.dup2(connection, CONNECTION_FD)
    os.dup2(output, OUTPUT_FD)
    isolate.close(fd for fd in isolate.descriptors() if fd > OUTPUT_FD)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(OUTPUT_FD, 1)
    os.dup2(OUTPUT_FD, 2)
    os.close(OUTPUT_FD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trusted side, which then ends this process
    if options["isolated"]:
        try:
            isolate.enter(order["limits"], order["uid"])
        except OSError as error:  # told on the connection: no student code has run, so this much can be believed
            serve_worker.refuse(CONNECTION_FD, f"{error}")
            os._exit(1)
    else:
        os.setsid()  # the group is what can be ended together without a pid namespace
        isolate.set_limits(order["limits"] | {"processes": None})
    connection = socket.socket(fileno=CONNECTION_FD)
    try:
        serve_worker.serve(connection, order["folder"], options["instruments"], listed)
    except BaseException:
        with contextlib.suppress(BaseException):  # the student may have replaced what this needs
            traceback.print_exc()
        os._exit(1)  # with the connection still open: its end is then the process's own, exit code and all
    os._exit(0)


def end(order, options, workers) -> dict:
    """Ends a worker in bounded time, whatever state it and its guardian are in."""
    if order["number"] not in workers:  # its start was given up before it began
        return {"exit": 0}
    outer, pid = workers.pop(order["number"])
    status = wait(outer, order["grace"])
    if status is None:  # so the worker is not reaped either, and its pid is still its own
        kill = os.kill if options["isolated"] else os.killpg
        with contextlib.suppress(ProcessLookupError):  # it ended in between; its guardian is about to
            kill(pid, signal.SIGKILL)
        status = wait(outer, DYING_SECONDS)
    if status is None:  # a guardian that somebody stopped
        os.kill(outer, signal.SIGKILL)
        status = wait(outer, DYING_SECONDS)
    return {"exit": (-signal.SIGKILL if status is None else os.waitstatus_to_exitcode(status)) & 0xFF}


def wait(pid: int, seconds: float) -> int | None:
    """The wait status of a child that ends within `seconds`, else None."""
    deadline = time.monotonic() + seconds
    while True:
        finished, status = os.waitpid(pid, os.WNOHANG)
        if finished:
            return status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.0005)


if __name__ == "__main__":
    main()
