"""The system calls that student code has no use for are refused, and what it does use still works."""

import errno
import platform
import shutil

import pytest

from autograder.jail import template
from autograder.jail.inside import seccomp
from autograder.jail.template import JailError, Limits, Template
from autograder.jail.worker import Worker
from tests.this_course import COURSE

CALL = """
import ctypes, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return [result, ctypes.get_errno()]
def family(number):
    socket.socket(number, socket.SOCK_STREAM if number != socket.AF_NETLINK else socket.SOCK_RAW).close()
def program():
    subprocess.run([sys.executable, "-c", ""])
"""


@pytest.fixture(scope="module")
def column():
    """Where this machine's system call numbers stand in the table."""
    if platform.machine() not in seccomp.ARCHITECTURES:
        pytest.skip("system calls are filtered on x86_64 and aarch64 only")
    return list(seccomp.ARCHITECTURES).index(platform.machine())


def test_each_denied_system_call_is_refused(submit, column):
    names = [name for name, numbers in seccomp.DENIED.items() if numbers[column] is not None]
    student = submit(CALL)
    replies = student.batch(student.model.own.call, [(seccomp.DENIED[name][column], 0, 0, 0, 0) for name in names])
    assert {name: reply for name, reply in zip(names, replies, strict=True) if reply != [-1, errno.EPERM]} == {}
    for numbers in seccomp.MISSING.values():
        assert student.model.own.call(numbers[column], 0, 0, 0, 0) == [-1, errno.ENOSYS]


def test_no_new_namespace_by_clone(submit, column):
    student = submit(CALL)
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert student.model.own.call(seccomp.CLONE[column], flag | 17, 0, 0, 0, 0) == [-1, errno.EPERM]
    assert student.model.own.call(seccomp.MISSING["clone3"][column], 0, 0) == [-1, errno.ENOSYS]


def test_of_fcntl_only_copies_and_flags_are_left(submit, column):
    student = submit(
        CALL + "def on_torch(number, command): return call(number, os.open('/jail/inside/wire.py', 0), command, 0)"
    )
    allowed = seccomp.FCNTL_ALLOWED.values()
    refused = [
        (seccomp.FCNTL[column], command) for command in (*range(64), *range(1024, 1056)) if command not in allowed
    ]
    replies = student.batch(student.model.own.on_torch, refused)
    assert [reply for reply in replies if reply != [-1, errno.EPERM]] == []


def test_no_page_is_pushed_out_or_merged(submit, column):
    student = submit(CALL)
    for advice in seccomp.MADVISE_DENIED.values():
        assert student.model.own.call(seccomp.MADVISE[column], 0, 0, advice) == [-1, errno.EPERM]
    for option in seccomp.PRCTL_DENIED.values():
        assert student.model.own.call(seccomp.PRCTL[column], option, 0, 0, 0, 0) == [-1, errno.EPERM]


def test_processes_that_share_queues_pipes_and_locks_still_work(submit):
    student = submit(
        """
import ctypes, multiprocessing
def add(queue, lock, pipe, number):
    with lock:
        queue.put(number)
    pipe.send(number)
def shared():
    queue, lock, (here, there) = multiprocessing.Queue(), multiprocessing.Lock(), multiprocessing.Pipe()
    processes = [multiprocessing.Process(target=add, args=(queue, lock, there, number)) for number in range(4)]
    for process in processes:
        process.start()
    seen = [sorted(queue.get() for _ in processes), sorted(here.recv() for _ in processes)]
    for process in processes:
        process.join()
    return seen
def called_back():
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(1)
"""
    )
    assert student.model.own.shared() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert student.model.own.called_back() == 2


def test_only_sockets_between_own_processes_can_be_made(submit):
    student = submit(CALL)
    families = [2, 10, 16, 17, 38, 40, 1]  # inet, inet6, netlink, packet, alg, vsock; unix
    *refused, unix = student.batch(student.model.own.family, [(family,) for family in families])
    assert [reply.type for reply in refused] == ["PermissionError"] * len(refused)
    assert unix is None


def test_no_other_program_can_be_started(submit):
    student = submit(CALL)
    [reply] = student.batch(student.model.own.program, [()])
    assert reply.type == "PermissionError"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a second numbering on x86_64")
def test_the_second_numbering_of_x86_is_closed(submit):
    student = submit(CALL)
    assert student.model.own.call(seccomp.X32_BIT | 39) == [-1, errno.EPERM]  # getpid


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is the 32-bit door of x86")
def test_a_call_in_a_foreign_numbering_ends_the_process(submit):
    student = submit(
        """
import ctypes, mmap, os
CODE = bytes.fromhex("53b814000000cd805bc3")  # push rbx; mov eax, 20; int 0x80 (32-bit getpid); pop rbx; ret
def knock():
    pid = os.fork()
    if pid == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(CODE)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    )
    assert student.model.own.knock() < 0


def test_children_are_filtered_too(submit, column):
    student = submit(
        CALL
        + """
def from_a_child(number):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if call(number, 0, 0, 0, 0) == [-1, 1] else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    )
    assert student.model.own.from_a_child(seccomp.DENIED["unshare"][column]) == 0


def test_torch_still_works(submit):
    student = submit(
        """
import io, threading
import torch
from torch.utils.data import DataLoader, TensorDataset
def multiply():
    torch.set_num_threads(2)
    x = torch.eye(300)
    return bool((x @ x == x).all())
def in_a_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(multiply()))
    thread.start()
    thread.join()
    return seen
def load(workers):
    data = TensorDataset(torch.arange(6.0))
    return [float(batch.sum()) for [batch] in DataLoader(data, batch_size=3, num_workers=workers)]
def save():
    torch.save({"x": torch.ones(3)}, "/work/there.pt")
    return torch.load("/work/there.pt")["x"]
def train():
    model = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return True
"""
    )
    own = student.model.own
    assert own.load(0) == own.load(2) == [3.0, 12.0]
    assert own.save().tolist() == [1.0, 1.0, 1.0]
    assert own.train()
    assert own.multiply()
    assert own.in_a_thread() == [True]


def test_programs_are_known_for_both_machines_and_no_other():
    assert seccomp.program("x86_64") != seccomp.program("aarch64")
    assert seccomp.program("riscv64") is None


def test_a_jail_that_cannot_be_closed_is_the_harnesses_fault(jail, monkeypatch, tmp_path):
    """A template whose filter is nonsense: the kernel refuses it, and no submission is blamed."""
    monkeypatch.setattr(template, "HERE", _with_a_broken_filter(tmp_path))
    broken = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    try:
        with pytest.raises(JailError, match="seccomp filter"):
            Worker(broken, {}, Limits())
    finally:
        broken.close()


def _with_a_broken_filter(folder):
    shutil.copytree(template.HERE / "inside", folder / "inside")
    with open(folder / "inside" / "seccomp.py", "a") as file:
        file.write("\nPROGRAM = bytes(8)\n")
    return folder
