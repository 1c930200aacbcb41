"""Hostile members of a class: what one student hands in to spoil the run, the machine, or the neighbours' reports.

Code is a whole containers/stack.py of the tiny course; the class it defines hopes for points, or for harm.
"""

import io
import os
import socket
import tarfile
import zipfile
from pathlib import Path

PREAMBLE = """
import ctypes, fcntl, os, resource, signal, socket, struct, sys, threading, time
class Stack:
    def push(self, value): pass
    def pop(self): return harm()
"""

CODE = {
    "exits at its import": "os._exit(0)\n",
    "hangs at its import": "time.sleep(3600)\n",
    "hangs in a call": "def harm(): time.sleep(3600)\n",
    "kills everybody": "def harm(): os.kill(-1, signal.SIGKILL)\n",
    "kills its group": "def harm(): os.kill(0, signal.SIGKILL)\n",
    "stops itself": "def harm(): os.kill(os.getpid(), signal.SIGSTOP)\n",
    "forks without end": """
def harm():
    while True:
        try:
            os.fork()
        except OSError:
            pass
""",
    "allocates without end": """
def harm():
    hoard = []
    while True:
        hoard.append(bytearray(1 << 26))
""",
    "fills the disk": """
def harm():
    while True:
        open("/work/fill", "ab").write(bytes(1 << 24))
""",
    "fills shared memory": """
def harm():
    while True:
        open("/dev/shm/fill", "ab").write(bytes(1 << 22))
""",
    "shares memory without end": """
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
def harm():
    for number in range(1, 10**6):
        shared = libc.shmget(number, 1 << 24, 0o1666)
        if shared < 0:
            raise OSError("no more")
        address = libc.shmat(shared, None, 0)
        ctypes.memset(address, 1, 1 << 24)
        libc.shmdt(ctypes.c_void_p(address))
""",
    "prints without end": """
def harm():
    while True:
        os.write(1, b"100/100 points\\n" * 1000)
""",
    "starts threads without end": """
def harm():
    while True:
        threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    "forges answers for all later questions": """
import wire
def harm():
    for number in range(1, 4000):
        os.write(3, wire.encode([number, True, None]))
    time.sleep(3600)
""",
    "answers with garbage": "def harm(): os.write(3, os.urandom(1 << 16))\n",
    "answers with as much as it may": "def harm(): return bytes(60 << 20)\n",
    "answers with rows of nothing": """
import torch
def harm(): return torch.empty(1 << 24, 0)
""",
    "answers with sixty levels": """
def harm():
    deep = []
    for _ in range(60):
        deep = [deep, deep[:1]]
    return deep
""",
    "raises words for the terminal": """
def harm(): raise type("\\x1b[2J", (Exception,), {})("\\x1b[2J\\x07\\u202e\\r100/100 points\\n" * 20)
""",
    "leaves a daemon behind": """
def harm():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
    return 1
""",
    "locks the files of all": """
def harm():
    for path in ("/jail/inside/wire.py", "/jail", "/jail/instruments/incomparable.py"):
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)
    time.sleep(3600)
""",
    "leaves notes for the neighbours": """
for folder in ("/tmp", "/dev/shm", "/work", "/", "/jail"):
    try:
        open(folder + "/stack.py", "w").write("raise RuntimeError('a neighbour was here')")
    except OSError:
        pass
def harm(): return 1
""",
    "closes all that is open": "def harm(): os.closerange(0, 256)\n",
    "passes descriptors to the grader": """
def harm():
    connection = socket.socket(fileno=os.dup(3))
    for _ in range(200):
        socket.send_fds(connection, [b"\\0"], [0, 1, 2, 3])
""",
    "asks for every priority": """
def harm():
    for pid in range(2, 400):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, 19)
        except OSError:
            pass
    os.nice(-20)
""",
    "ends with success": "def harm(): raise SystemExit(0)\n",
    "interrupts": "def harm(): raise KeyboardInterrupt\n",
    "patches what it can reach": """
import builtins, wire, operations
operations.Session.do = lambda self, operation, arguments: True
builtins.len = builtins.isinstance = lambda *a: True
def harm(): return 1
""",
}


def lay_out(folder: Path, name: str, neighbour: str, code: bytes) -> None:
    """Puts what the student `name` hands in under `folder`; `code` is a right answer, `neighbour` another student."""
    FILES[name](folder, name.replace(" ", "-"), folder / neighbour, code)


def _zip(folder, student, members):
    with zipfile.ZipFile(folder / f"{student}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members:
            archive.writestr(path, data)


def _links(folder, student, neighbour, code):
    (folder / student).mkdir()
    (folder / student / "containers").symlink_to(neighbour / "containers")


def _link(folder, student, neighbour, code):
    (folder / student / "containers").mkdir(parents=True)
    (folder / student / "containers" / "stack.py").symlink_to(neighbour / "containers" / "stack.py")


def _pipe(folder, student, neighbour, code):
    (folder / student / "containers").mkdir(parents=True)
    os.mkfifo(folder / student / "containers" / "stack.py")


def _socket(folder, student, neighbour, code):
    (folder / student / "containers").mkdir(parents=True)
    here = os.getcwd()
    os.chdir(folder / student / "containers")  # a socket's path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("stack.py")
    finally:
        os.chdir(here)


def _folder(folder, student, neighbour, code):
    (folder / student / "containers" / "stack.py" / "stack.py").mkdir(parents=True)


def _many(folder, student, neighbour, code):
    (folder / student / "containers").mkdir(parents=True)
    for number in range(3000):
        (folder / student / "containers" / f"m{number}.py").write_bytes(b"")


def _leads_outside(folder, student, neighbour, code):
    bad = b"raise RuntimeError('written by a neighbour')"
    _zip(folder, student, [(f"../{neighbour.name}/containers/stack.py", bad), ("/tmp/ladder-outside.py", bad)])


def _tar_leads_outside(folder, student, neighbour, code):
    bad = b"raise RuntimeError('written by a neighbour')"
    with tarfile.open(folder / f"{student}.tar.gz", "w:gz") as archive:
        for name in (f"../{neighbour.name}/containers/stack.py", str(neighbour / "containers" / "stack.py")):
            member = tarfile.TarInfo(name)
            member.size = len(bad)
            archive.addfile(member, io.BytesIO(bad))


def _bomb(folder, student, neighbour, code):
    _zip(folder, student, [(f"containers/m{number}.py", bytes(64 << 20)) for number in range(8)])


def _broken(folder, student, neighbour, code):
    (folder / f"{student}.zip").write_bytes(b"PK\x03\x04" + os.urandom(1000))


FILES = {
    "hands in a link to a neighbour's folder": _links,
    "hands in a link to a neighbour's file": _link,
    "hands in a pipe": _pipe,
    "hands in a socket": _socket,
    "hands in a folder with a file's name": _folder,
    "hands in three thousand files": _many,
    "hands in an archive that leads to a neighbour": _leads_outside,
    "hands in a tar that leads to a neighbour": _tar_leads_outside,
    "hands in an archive that unfolds": _bomb,
    "hands in a broken archive": _broken,
}
