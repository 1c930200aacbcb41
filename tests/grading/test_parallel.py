"""A serving process is expendable: whatever it does costs its own job, and no other one."""

import ctypes
import os
import signal
import time

import pytest
import torch

from autograder.errors import HarnessFault
from autograder.grading import parallel
from autograder.grading.parallel import Lost, share_out

HONEST = [f"honest {number}" for number in range(6)]


def serve(lifeline):
    """Answers a job with its own text, unless it is the name of a disaster."""
    for job, answer in lifeline.requests():
        if job in DISASTERS:
            lifeline.within(0.5)
            DISASTERS[job]()
        answer(job.upper())


def raise_an_error():
    raise RuntimeError("something \x1b[31m unforeseen")


def take_memory():
    torch.ones(1 << 29)  # 2 GiB


def hold_the_interpreter():
    ctypes.PyDLL(None).sleep(60)  # as a C function does that keeps the interpreter's lock: no Python code, no signal


DISASTERS = {
    "exit": lambda: os._exit(7),
    "segmentation fault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "error": raise_an_error,
    "memory": take_memory,
    "endless": lambda: time.sleep(60),
    "in C": hold_the_interpreter,
}


def serve_nobody(lifeline):
    raise ValueError("there is no course here")


def test_whatever_a_process_does_costs_its_job_alone(monkeypatch):
    monkeypatch.setattr(parallel, "GRACE_SECONDS", 1.0)
    jobs = [job for pair in zip(HONEST, DISASTERS, strict=False) for job in pair] + list(DISASTERS)[len(HONEST) :]
    began = time.monotonic()
    answers = dict(share_out(jobs, serve))
    assert [answers[job] for job in HONEST] == [job.upper() for job in HONEST]
    reasons = {job: answers[job].reason for job in DISASTERS}
    assert all(isinstance(answers[job], Lost) for job in DISASTERS)
    assert reasons["exit"] == "exit code 7"
    assert reasons["segmentation fault"] == "SIGSEGV"
    assert reasons["kill"] == "SIGKILL"
    assert reasons["error"].startswith("RuntimeError: something")
    assert "allocate memory" in reasons["memory"]
    assert reasons["stop"] == reasons["endless"] == reasons["in C"] == "it showed no sign of life in time"
    assert time.monotonic() - began < 150  # three that hang, twice each, and a dozen starts on a busy machine


def test_a_process_that_can_not_start_is_the_harness_fault():
    with pytest.raises(HarnessFault, match="there is no course here"):
        list(share_out(HONEST, serve_nobody))


def test_nothing_is_started_for_no_jobs():
    assert list(share_out([], serve_nobody)) == []
