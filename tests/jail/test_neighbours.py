"""Two workers that run at the same time leave each other no message, and hit no limit that counts them together.

What they can still do is said in docs/threat-model.md.
"""

import contextlib
import os

import pytest

from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker
from tests.this_course import COURSE

SHARED = "/jail/inside/wire.py"  # a file that every worker can open for reading
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def refused(student, function, *arguments) -> bool:
    [reply] = student.batch(function, [arguments])
    return "OSError" in getattr(reply, "bases", ())


def test_a_lock_on_a_shared_file_is_refused(submit):
    student = submit(
        """
import ctypes, fcntl, os, struct
libc = ctypes.CDLL(None, use_errno=True)
def take(path, way):
    file = os.open(path, os.O_RDONLY)
    whole = struct.pack("hhlli4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    if way == "flock":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif way == "lease":
        fcntl.fcntl(file, fcntl.F_GETLEASE)
    elif way == "watch":
        fcntl.fcntl(os.open(os.path.dirname(path), os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)
    else:
        fcntl.fcntl(file, getattr(fcntl, way), whole)
"""
    )
    for way in ("flock", "lease", "watch", "F_SETLK", "F_GETLK", "F_OFD_SETLK", "F_OFD_GETLK"):
        assert refused(student, student.model.own.take, SHARED, way), way


def test_a_watch_on_a_shared_file_is_refused(submit):
    student = submit(
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def watch(path):
    watcher = libc.inotify_init()
    if watcher < 0 or libc.inotify_add_watch(watcher, path.encode(), 1) < 0:
        raise OSError(ctypes.get_errno(), "no watch")
"""
    )
    assert refused(student, student.model.own.watch, SHARED)


def test_the_times_of_a_device_cannot_be_set_and_it_still_works(submit):
    student = submit(
        """
import os
def touch(path):
    os.utime(path)
def use():
    with open("/dev/null", "w") as sink:
        sink.write("x")
    with open("/dev/urandom", "rb") as source:
        return len(source.read(8))
"""
    )
    for name in DEVICES:
        before = os.stat(f"/dev/{name}").st_mtime_ns
        assert refused(student, student.model.own.touch, f"/dev/{name}"), name
        assert os.stat(f"/dev/{name}").st_mtime_ns == before
    assert student.model.own.use() == 8


def test_no_terminal_can_be_opened_for_a_neighbour_to_see(submit):
    code = """
import os
def open_terminal():
    return os.openpty()
def seen():
    return [name for name in os.listdir("/dev/pts") if name != "ptmx"]
"""
    first, second = submit(code), submit(code)
    assert refused(first, first.model.own.open_terminal)
    assert second.model.own.seen() == []


def test_the_machines_load_and_the_page_cache_are_not_told(submit):
    student = submit(
        """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
def processes():
    told = ctypes.create_string_buffer(512)
    check(libc.sysinfo(told))
def cached(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=3) as pages:
        start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        result = libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(1), ctypes.create_string_buffer(1))
    check(result)
def read_if_cached(path):
    os.preadv(os.open(path, os.O_RDONLY), [bytearray(1)], 0, os.RWF_NOWAIT)
def evict(path):
    os.posix_fadvise(os.open(path, os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""
    )
    own = student.model.own
    assert refused(student, own.processes)
    for function in (own.read_if_cached, own.evict):
        assert refused(student, function, SHARED)


def test_memory_that_no_limit_counts_is_refused(submit):
    student = submit(
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def in_a_file_without_a_name():
    os.memfd_create("hoard")
def in_system_v():
    if libc.shmget(0, 1 << 20, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), "refused")
def in_shm():
    with open("/dev/shm/hoard", "wb") as file:
        file.write(bytes(17 << 20))
def locked():
    pages = ctypes.create_string_buffer(1 << 20)
    if libc.mlock(pages, len(pages)) < 0:
        raise OSError(ctypes.get_errno(), "refused")
def a_large_pipe():
    import fcntl
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETPIPE_SZ, 1 << 20)
"""
    )
    own = student.model.own
    for function in (own.in_a_file_without_a_name, own.in_system_v, own.in_shm, own.locked, own.a_large_pipe):
        assert refused(student, function), function


def test_signals_that_wait_are_few(submit):
    """They are counted for the user; as an ordinary user, all workers and the caller are the same one."""
    student = submit("import resource\ndef limit(): return resource.getrlimit(resource.RLIMIT_SIGPENDING)")
    assert student.model.own.limit() == [128, 128]


@pytest.mark.skipif(os.geteuid() != 0, reason="workers of an ordinary user are that user, in a namespace of their own")
def test_no_two_living_workers_are_the_same_user(jail):
    """Not even the two of a twin, each of which is the first of its template."""
    files = {"model/__init__.py": b"", "model/own.py": b"import os\nuser = os.getuid()"}
    with contextlib.ExitStack() as opened:
        templates = [Template(COURSE.jail_contents, hash_seed=seed, jail=jail) for seed in (0, 1)]
        for each in templates:
            opened.callback(each.close)
        workers = [Worker(each, files, Limits()) for each in (*templates, *templates)]
        users = [worker.request("value", ["model", "own", "user"], answer=None) for worker in workers]
        for worker in workers:
            worker.close()
    assert all(answered for answered, _ in users)
    assert len({user for _, user in users}) == len(workers)
