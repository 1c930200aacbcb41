"""Looking for what is hidden: the machine, the harness's memory, and what the item is about to ask."""

ATTACKS = {
    "reads the kernel's log": """
def attack(x):
    buffer = ctypes.create_string_buffer(1 << 16)
    if ctypes.CDLL(None).klogctl(3, buffer, 1 << 16) > 0:
        leak(buffer.value)
""",
    "reads /sys": """
def attack(x):
    for root, folders, files in os.walk("/sys"):
        if files:
            leak((root, files))
""",
    "reads its own maps": """
def attack(x):
    leak(open("/proc/self/maps").read())
""",
    "reads the command lines of the machine": """
def attack(x):
    for pid in range(1, 5000):
        for name in ("cmdline", "environ", "status", "fd", "root", "cwd"):
            path = f"/proc/{pid}/{name}"
            if os.path.lexists(path):
                leak(path)
""",
    "follows its descriptors' names": """
def attack(x):
    for folder in ("/dev/fd", "/proc/self/fd"):
        for name in os.listdir(folder):
            target = os.readlink(os.path.join(folder, name))
            if not target.startswith(("pipe:", "socket:", "/dev/null")):
                leak(target)
""",
    "reads standard input": """
def attack(x):
    data = os.read(0, 1000)
    if data:
        leak(data)
""",
    "reads raw devices": """
def attack(x):
    for name in ("mem", "kmem", "port", "sda", "vda", "nvme0n1", "kvm", "fuse", "loop0", "net/tun", "console", "kmsg"):
        if os.path.exists(os.path.join("/dev", name)):
            leak(name)
""",
    "reads where the course came from": """
def attack(x):
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) or ""
        if path.startswith("/") and not path.startswith(("/usr", "/jail", "/work")) and "lib/python" not in path:
            leak((name, path))
""",
    "reads its own command line": """
def attack(x):
    for word in [*sys.argv, *sys.orig_argv]:
        if "course" in word or "milestones" in word or "solutions" in word or "/home" in word:
            leak(word)
""",
    "reads a history": """
def attack(x):
    for name in (".bash_history", ".python_history", ".ssh", ".netrc", ".config", ".cache", ".git"):
        for home in {os.path.expanduser("~"), "/root", "/", "/work"}:
            if os.path.lexists(os.path.join(home, name)):
                leak((home, name))
""",
    "asks who uses the machine": """
import pwd
def attack(x):
    names = [entry.pw_name for entry in pwd.getpwall()]
    if names:
        leak(names)
""",
    "asks for the machine's name": """
import platform
def attack(x):
    for path in ("/etc/hostname", "/etc/machine-id", "/etc/hosts", "/etc/resolv.conf", "/etc/os-release"):
        if os.path.exists(path):
            leak(path)
""",
    "reads byte code of what was imported before": """
def attack(x):
    for root, folders, files in os.walk("/jail"):
        for name in files:
            if name.endswith(".pyc") and "/site/" not in root:
                leak((root, name))
""",
    "reads the instruments for answers": """
def attack(x):
    for root, folders, files in os.walk("/jail/instruments"):
        for name in files:
            text = open(os.path.join(root, name), errors="replace").read()
            if "expect." in text or "draw." in text or "DIAGNOSIS" in text:
                leak(name)
""",
    "searches memory for the name of the item": """
def attack(x):
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for key in list(thing):
                if isinstance(key, str) and ("grader" in key or "expected" in key) and "/" in key:
                    leak(key)
""",
    "reads freed memory for tensors": """
def attack(x):
    t = torch.empty(1 << 16, dtype=torch.uint8).numpy().tobytes()
    for word in (b"neddih.senotselim"[::-1], b"esolc.tcepxe"[::-1], b"terces-esruoc"[::-1]):
        if word in t:
            leak(word)
""",
    "reads what the last reader left on the connection": """
def attack(x):
    s = socket.socket(fileno=os.dup(3))
    s.setblocking(False)
    try:
        leak(s.recv(1 << 16, socket.MSG_PEEK))
    except BlockingIOError:
        return None
""",
    "asks the connection who is there": """
def attack(x):
    s = socket.socket(fileno=os.dup(3))
    pid, uid, gid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if pid > 0:
        os.kill(pid, 0)
        leak(pid)
""",
    "leaves through the folder above": """
def attack(x):
    for path in ("../../../../course.toml", "/work/../milestones", "/jail/../../milestones", "//milestones"):
        if os.path.exists(path):
            leak(path)
""",
    "opens the folder of its root and climbs": """
def attack(x):
    fd = os.open("/", os.O_RDONLY)
    for _ in range(20):
        fd = os.open("..", os.O_RDONLY, dir_fd=fd)
    if "milestones" in os.listdir(fd) or "home" in os.listdir(fd) and os.listdir("/home"):
        leak(os.listdir(fd))
""",
    "renames the course into its own folder": """
def attack(x):
    for path in ("/jail/inside/wire.py", "/jail/inside", "/jail/site"):
        try:
            os.rename(path, "/work/mine")
        except OSError:
            continue
        leak(path)
""",
    "writes into the harness's files": """
def attack(x):
    for path in ("/jail/inside/wire.py", "/jail/site/torch/__init__.py", "/jail/instruments/tiny_model.py"):
        try:
            open(path, "a").write("#")
        except OSError:
            continue
        leak(path)
""",
    "maps the harness's files to write": """
import mmap
def attack(x):
    fd = os.open("/jail/inside/wire.py", os.O_RDONLY)
    mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    leak("mapped")
""",
    "makes the harness's files its own": """
def attack(x):
    path = "/jail/inside/wire.py"
    for call in (lambda: os.chmod(path, 511), lambda: os.chown(path, os.getuid(), -1), lambda: os.utime(path)):
        try:
            call()
        except OSError:
            continue
        leak("changed")
""",
}
