"""Ways from one worker to another. Each defines `send()`, called in the first worker, and `receive()` in the second.

`receive` returns what it found of the first worker, or raises. Both live at the same time, forked from one template.
"""

PREAMBLE = """
import array, ctypes, fcntl, gc, glob, mmap, os, resource, signal, socket, struct, sys, tempfile, threading, time
libc = ctypes.CDLL(None, use_errno=True)
SHARED = "/jail/inside/wire.py"  # a file that all workers see
held = []
"""

CHANNELS = {
    "a file in /tmp": """
def send(): open("/tmp/note", "w").write("x")
def receive(): return os.listdir("/tmp")
""",
    "a file in /dev/shm": """
def send(): open("/dev/shm/note", "w").write("x")
def receive(): return os.listdir("/dev/shm")
""",
    "a file in /work": """
def send(): open("/work/note", "w").write("x")
def receive(): return os.path.exists("/work/note")
""",
    "a file at the root": """
def send():
    for folder in ("/", "/jail", "/dev", "/proc", "/usr", "/lib", "/var/tmp", "/run"):
        try:
            open(folder + "/note", "w").write("x")
        except OSError:
            pass
def receive(): return glob.glob("/note") + glob.glob("/*/note") + glob.glob("/var/tmp/note")
""",
    "System V shared memory": """
def send(): return libc.shmget(4711, 4096, 0o1666)
def receive(): return libc.shmget(4711, 0, 0) >= 0
""",
    "System V semaphores": """
def send(): return libc.semget(4711, 1, 0o1666)
def receive(): return libc.semget(4711, 0, 0) >= 0
""",
    "System V messages": """
def send(): return libc.msgget(4711, 0o1666)
def receive(): return libc.msgget(4711, 0) >= 0
""",
    "POSIX shared memory": """
def send(): return libc.shm_open(b"/note", 0o102, 0o666)
def receive(): return libc.shm_open(b"/note", 0, 0) >= 0
""",
    "a POSIX message queue": """
def send(): return libc.mq_open(b"/note", 0o102, 0o666, None)
def receive(): return libc.mq_open(b"/note", 0, 0, None) >= 0
""",
    "a named semaphore": """
def send(): return bool(libc.sem_open(b"/note", 0o100, 0o666, 1))
def receive():
    libc.sem_open.restype = ctypes.c_void_p
    return bool(libc.sem_open(b"/note", 0))
""",
    "an abstract socket": """
def send():
    held.append(socket.socket(socket.AF_UNIX))
    held[0].bind("\\0note")
    held[0].listen()
def receive(): return socket.socket(socket.AF_UNIX).connect_ex("\\0note") == 0
""",
    "a socket in the file system": """
def send():
    held.append(socket.socket(socket.AF_UNIX))
    held[0].bind("/tmp/note")
    held[0].listen()
def receive(): return socket.socket(socket.AF_UNIX).connect_ex("/tmp/note") == 0
""",
    "a port": """
def send():
    held.append(socket.socket())
    held[0].bind(("127.0.0.1", 4711))
    held[0].listen()
def receive(): return socket.socket().connect_ex(("127.0.0.1", 4711)) == 0
""",
    "a lock on a file that both read": """
def send():
    held.append(os.open(SHARED, os.O_RDONLY))
    fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
def receive():
    held.append(os.open(SHARED, os.O_RDONLY))
    try:
        fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
""",
    "a lock on a folder that both read": """
def send():
    held.append(os.open("/jail", os.O_RDONLY | os.O_DIRECTORY))
    fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
def receive():
    held.append(os.open("/jail", os.O_RDONLY | os.O_DIRECTORY))
    try:
        fcntl.flock(held[0], fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
""",
    "a record lock on a file that both read": """
def send():
    held.append(os.open(SHARED, os.O_RDONLY))
    fcntl.lockf(held[0], fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 17)
def receive():
    held.append(os.open(SHARED, os.O_RDONLY))
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 17, 1, 0)
    return struct.unpack("hhqqi4x", fcntl.fcntl(held[0], fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK
""",
    "an open file description lock": """
def send():
    held.append(os.open(SHARED, os.O_RDONLY))
    fcntl.fcntl(held[0], 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 23, 1, 0))
def receive():
    held.append(os.open(SHARED, os.O_RDONLY))
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 23, 1, 0)
    return struct.unpack("hhqqi4x", fcntl.fcntl(held[0], 36, asked))[0] != fcntl.F_UNLCK
""",
    "a lease on a file that both read": """
def send():
    held.append(os.open(SHARED, os.O_RDONLY))
    fcntl.fcntl(held[0], fcntl.F_SETLEASE, fcntl.F_RDLCK)
def receive():
    held.append(os.open(SHARED, os.O_RDONLY))
    return fcntl.fcntl(held[0], fcntl.F_GETLEASE) != fcntl.F_UNLCK
""",
    "the time of the last reading": """
began = time.time_ns()
def send():
    for _ in range(3):
        open("/jail/instruments/dtype.py").read()
    return os.stat("/jail/instruments/dtype.py").st_atime_ns
def receive(): return os.stat("/jail/instruments/dtype.py").st_atime_ns > began
""",
    "a terminal": """
def send():
    held.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
def receive(): return [name for name in os.listdir("/dev/pts") if name.isdigit()]
""",
    "a memory file that is passed on": """
def send():
    held.append(os.memfd_create("note"))
    os.write(held[0], b"x")
def receive():
    return [fd for fd in range(5, 128) if os.path.exists(f"/dev/fd/{fd}")]
""",
    "the kernel's keyring": """
def send(): return libc.syscall(248, b"user", b"note", b"x", 1, -5)
def receive(): return libc.syscall(249, b"user", b"note", None, -5) > 0
""",
    "the number of processes": """
def send():
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
def receive(): return os.fork() not in (0, 2) or None
""",
    "signals": """
def send(): return [os.kill(pid, 0) for pid in (os.getpid(),)]
def receive():
    found = []
    for pid in range(2, 40000):
        try:
            os.kill(pid, 0)
            found.append(pid)
        except ProcessLookupError:
            pass
        except PermissionError:
            found.append(pid)
    return found
""",
    "the name of the machine": """
def send(): return libc.sethostname(b"note", 4)
def receive(): return os.uname().nodename == "note"
""",
    "the memory of the template": """
import wire
def send():
    wire.NOTE = sys.note = True
def receive(): return hasattr(wire, "NOTE") or hasattr(sys, "note")
""",
    "a page of the C library": """
page = ctypes.cast(libc.printf, ctypes.c_void_p).value & ~4095
def send():
    libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(4096), 7)
    ctypes.memmove(page, b"note", 4)
def receive(): return ctypes.string_at(page, 4) == b"note"
""",
    "the order of descriptors in flight": """
def send():
    a, b = socket.socketpair()
    held.extend([a, b])
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [b.fileno()]))])
def receive():
    connection = socket.socket(fileno=os.dup(3))
    connection.setblocking(False)
    try:
        return connection.recvmsg(10, 1000, socket.MSG_PEEK)
    except BlockingIOError:
        return None
""",
    "what is printed": """
def send(): os.write(1, b"note from a friend")
def receive():
    reader = os.dup(1)
    os.set_blocking(reader, False)
    try:
        return os.read(reader, 100)
    except OSError:
        return None
""",
    "the cache of byte code": """
def send():
    for folder in glob.glob("/jail/**/__pycache__", recursive=True) + ["/jail/inside"]:
        try:
            open(os.path.join(folder, "note.pyc"), "w").write("x")
        except OSError:
            pass
def receive(): return glob.glob("/jail/**/note.pyc", recursive=True)
""",
}

WATCHING = {
    "watches a file that both read": """
def begin():
    fd = libc.inotify_init1(0o4000)
    held.append(fd)
    return libc.inotify_add_watch(fd, SHARED.encode(), 0x21)
def send(): open(SHARED).read()
def receive():
    time.sleep(0.05)
    return os.read(held[0], 4096)
""",
    "watches a folder that both read": """
def begin():
    fd = libc.inotify_init1(0o4000)
    held.append(fd)
    return libc.inotify_add_watch(fd, b"/jail/instruments", 0xFFF)
def send(): open("/jail/instruments/dtype.py").read()
def receive():
    time.sleep(0.05)
    return os.read(held[0], 4096)
""",
    "is signalled when a folder is read": """
def begin():
    fd = os.open("/jail/instruments", os.O_RDONLY | os.O_DIRECTORY)
    held.append(fd)
    signal.signal(signal.SIGIO, lambda *_: held.append("signalled"))
    fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)
def send(): open("/jail/instruments/dtype.py").read()
def receive():
    time.sleep(0.05)
    return "signalled" in held
""",
    "watches all that a mount sees": """
def begin():
    held.append(libc.fanotify_init(0, 0))
    return libc.fanotify_mark(held[0], 0x11, 0x21, -100, b"/jail")
def send(): open(SHARED).read()
def receive():
    os.set_blocking(held[0], False)
    return os.read(held[0], 4096)
""",
}
