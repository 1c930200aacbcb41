"""What code in the jail cannot do. Each test is a promise, kept by the real jail."""

import contextlib
import os
import socket
import time

import pytest
import torch

from autograder.grading.student import Student
from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker, WorkerDied, WorkerFlooded, WorkerTimeout
from tests.this_course import COURSE, ROOT


def test_student_code_cannot_read_hidden_graders(submit):
    student = submit(
        """
import os
def names():
    found = []
    for root, folders, files in os.walk("/"):
        found += [os.path.join(root, name) for name in folders + files]
    return found
def read(path):
    return open(path).read()
"""
    )
    names = student.model.own.names()
    secret_words = ("hidden", "milestone", "solutions", "handout", "mistakes", "alternatives", "course-secret")
    assert [name for name in names if any(word in name for word in secret_words)] == []
    for path in (ROOT / "autograder" / "grading" / "grader.py", ROOT / "pyproject.toml"):
        assert path.exists()
        [reply] = student.batch(student.model.own.read, [(str(path),)])
        assert reply.type == "FileNotFoundError"


def test_no_expected_value_is_in_the_workers_memory(submit):
    student = submit(
        """
import gc, sys
def strings():
    seen = set()
    frame = sys._getframe()
    while frame is not None:
        seen.update(map(str, frame.f_globals))
        seen.update(str(value)[:2000] for value in frame.f_locals.values())
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            seen.update(key for key in list(thing) if isinstance(key, str))
    return sorted(seen)
def modules():
    return sorted(sys.modules)
"""
    )
    held = torch.tensor([0.8421709430404007, 0.123])  # an expected value, held by the trusted side only
    assert not any("0.84217" in text for text in student.model.own.strings())
    modules = student.model.own.modules()
    assert not [name for name in modules if name.startswith(("autograder", "pytest", "_pytest", "solutions"))]
    assert held.sum() > 0


def test_there_is_no_proc_to_search(submit):
    student = submit("import os\ndef listing(): return os.listdir('/proc')")
    assert student.model.own.listing() == []


def test_the_environment_holds_nothing_of_ours(submit, monkeypatch):
    monkeypatch.setenv("COURSE_PASSWORD", "hunter2")
    student = submit("import os\ndef environment(): return dict(os.environ)")
    allowed = {
        "PATH",
        "HOME",
        "LANG",
        "OMP_NUM_THREADS",
        "PYTHONHASHSEED",
        "PWD",
        "LC_CTYPE",
        "TORCHINDUCTOR_CACHE_DIR",
    }
    assert set(student.model.own.environment()) <= allowed


def test_student_code_cannot_reach_the_network(submit):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0ladder-test-{os.getpid()}")
        abstract.listen()
        student = submit(
            """
import socket
def tcp(host, port):
    socket.create_connection((host, port), timeout=2)
def udp(host, port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, port))
def abstract(name):
    socket.socket(socket.AF_UNIX).connect("\\0" + name)
def names():
    return socket.getaddrinfo("example.com", 80)
"""
        )
        port = server.getsockname()[1]
        own = student.model.own
        for function, calls in (
            (own.tcp, [("127.0.0.1", port), ("10.0.0.1", 80)]),
            (own.udp, [("10.0.0.1", 53)]),
            (own.abstract, [(f"ladder-test-{os.getpid()}",)]),
            (own.names, [()]),
        ):
            for reply in student.batch(function, calls):
                assert "OSError" in reply.bases


def test_two_submissions_cannot_meet(submit):
    code = """
import os
def write(name):
    for folder in ("/work", "/tmp", "/dev/shm"):
        with open(f"{folder}/{name}", "w") as file:
            file.write("hello")
def see():
    return sorted(n for f in ("/work", "/tmp", "/dev/shm") for n in os.listdir(f))
"""
    first, second = submit(code), submit(code)
    first.model.own.write("note-to-a-friend")
    assert "note-to-a-friend" in first.model.own.see()
    assert "note-to-a-friend" not in second.model.own.see()


def test_the_rest_of_the_file_system_is_read_only(submit):
    student = submit(
        """
def write(path):
    with open(path, "w") as file:
        file.write("x")
"""
    )
    for path in ("/jail/inside/wire.py", "/jail/new", "/usr/lib/new", "/new", "/dev/new", "/etc/new", "/proc/new"):
        [reply] = student.batch(student.model.own.write, [(path,)])
        assert reply.type in ("PermissionError", "OSError", "FileNotFoundError"), path


def test_student_code_has_no_privileges_and_cannot_gain_any(submit):
    student = submit(
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def who():
    return [os.getuid(), os.geteuid(), os.getgroups()]
def regain():
    os.setuid(0)
def mount():
    return libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"")
def umount():
    return libc.umount2(b"/work", 2)
def no_new_privileges():
    return libc.prctl(39, 0, 0, 0, 0)
"""
    )
    uid, effective, groups = student.model.own.who()
    assert uid == effective
    assert uid != 0
    assert groups == []
    [reply] = student.batch(student.model.own.regain, [()])
    assert "OSError" in reply.bases  # not permitted, or in a user namespace not a user
    assert student.model.own.mount() == -1
    assert student.model.own.umount() == -1
    assert student.model.own.no_new_privileges() == 1


def test_a_fork_bomb_stops_at_the_limit_and_leaves_nothing(submit):
    student = submit(
        """
import os, time
def bomb():
    born = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(600)
            born += 1
    except BlockingIOError:
        return born
""",
        limits=Limits(processes=9),
    )
    assert student.model.own.bomb() == 8
    before = time.monotonic()
    student.close()
    assert time.monotonic() - before < 5  # the pid namespace took all of them along


def test_a_memory_bomb_hits_the_limit(submit):
    student = submit("def bomb():\n    return len(bytearray(20 << 30))")
    [reply] = student.batch(student.model.own.bomb, [()])
    assert reply.type == "MemoryError"


def test_a_disk_bomb_hits_the_limit(submit):
    student = submit(
        """
def bomb():
    for number in range(100):
        with open(f"/work/{number}", "wb") as file:
            file.write(bytes(8 << 20))
""",
        limits=Limits(disk_mb=32),
    )
    [reply] = student.batch(student.model.own.bomb, [()])
    assert reply.type == "OSError"


def test_a_flood_of_output_ends_the_worker(submit):
    student = submit("def flood():\n    while True:\n        print('x' * 10000)")
    with pytest.raises(WorkerFlooded, match="remove the print"):
        student.model.own.flood()


def test_a_hang_ends_the_worker(submit):
    student = submit("def hang():\n    while True:\n        pass", seconds=1.0)
    with pytest.raises(WorkerTimeout):
        student.model.own.hang()


def test_a_stopped_process_is_a_hang(submit):
    student = submit("import os, signal\ndef stop():\n    os.kill(os.getpid(), signal.SIGSTOP)", seconds=1.0)
    # process 1 of a pid namespace cannot stop itself; whichever way it goes, the harness goes on
    with contextlib.suppress(WorkerTimeout):
        student.model.own.stop()
    student.begin(seed=0, seconds=5)


def test_os_exit_is_reported_with_its_code(submit):
    student = submit("import os\ndef leave():\n    os._exit(7)")
    with pytest.raises(WorkerDied, match="exit code 7"):
        student.model.own.leave()


def test_a_daemon_does_not_outlive_its_item(submit):
    student = submit(
        """
import os, time
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
def leave():
    os._exit(0)
"""
    )
    student.model.own.daemon()
    before = time.monotonic()
    with pytest.raises(WorkerDied):
        student.model.own.leave()
    assert time.monotonic() - before < 5


def test_after_a_death_the_next_item_gets_a_fresh_worker(submit):
    student = submit(
        "import os\nstate = []\ndef leave():\n    os._exit(1)\ndef grow():\n    state.append(1)\n    return len(state)"
    )
    assert student.model.own.grow() == 1
    with pytest.raises(WorkerDied):
        student.model.own.leave()
    student.begin(seed=0, seconds=5)
    assert student.model.own.grow() == 1


def test_torch_computes_with_the_processors_best_kernels(submit):
    student = submit("import torch\ndef kernels(): return torch.backends.cpu.get_cpu_capability()")
    assert student.model.own.kernels() == torch.backends.cpu.get_cpu_capability()  # although there is no /proc to ask


def test_only_allowlisted_packages_can_be_imported(submit):
    student = submit("import importlib\ndef load(name):\n    importlib.import_module(name)")
    for name in ("tiktoken", "transformers", "tokenizers", "pytest", "autograder", "datasets", "nbgrader", "pip"):
        [reply] = student.batch(student.model.own.load, [(name,)])
        assert "ImportError" in reply.bases, name


def test_the_two_processes_of_a_twin_hash_differently(template, jail):
    other = Template(COURSE.jail_contents, hash_seed=1, jail=jail)
    files = {"model/__init__.py": b"", "model/own.py": b"def order(): return hash('a')"}
    student = Student(lambda: Worker(template, files, Limits()), lambda: Worker(other, files, Limits()))
    student.begin(seed=0, seconds=10)
    assert student.model.own.order() != student.twin().model.own.order()
    student.close()
    other.close()
