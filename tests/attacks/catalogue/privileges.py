"""Gaining privileges, and leaving something behind."""

ATTACKS = {
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
}
