"""Using up whatever is counted: descriptors, inodes, threads, memory in all its forms, timers, locks."""

ATTACKS = {
    "opens files without end": """
def attack(x):
    held = []
    while True:
        held.append(open("/dev/null"))
""",
    "opens pipes without end": """
def attack(x):
    held = []
    while True:
        held.append(os.pipe())
""",
    "opens sockets without end": """
def attack(x):
    held = []
    while True:
        held.append(socket.socketpair())
""",
    "queues descriptors in flight without end": """
import array
def attack(x):
    a, b = socket.socketpair()
    while True:
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [b.fileno()] * 200))])
""",
    "makes memory files without end": """
def attack(x):
    while True:
        fd = os.memfd_create("hoard")
        os.write(fd, bytes(1 << 26))
""",
    "fills one memory file": """
def attack(x):
    fd = os.memfd_create("hoard")
    while True:
        os.write(fd, bytes(1 << 24))
""",
    "maps memory without end": """
import mmap
def attack(x):
    held = []
    while True:
        m = mmap.mmap(-1, 1 << 26)
        for page in range(0, 1 << 26, 4096):
            m[page] = 1
        held.append(m)
""",
    "shares memory without end": """
libc = ctypes.CDLL(None, use_errno=True)
def attack(x):
    number = 0
    while True:
        number += 1
        shared = libc.shmget(number, 1 << 26, 0o1666)
        if shared < 0:
            raise OSError("no more")
        libc.shmat.restype = ctypes.c_void_p
        address = libc.shmat(shared, None, 0)
        ctypes.memset(address, 1, 1 << 26)
        libc.shmdt(ctypes.c_void_p(address))
""",
    "makes semaphores without end": """
libc = ctypes.CDLL(None, use_errno=True)
def attack(x):
    number = 0
    while True:
        number += 1
        if libc.semget(number, 200, 0o1666) < 0:
            raise OSError("no more")
""",
    "queues System V messages without end": """
libc = ctypes.CDLL(None, use_errno=True)
def attack(x):
    number = 0
    while True:
        number += 1
        queue = libc.msgget(number, 0o1666)
        if queue < 0:
            raise OSError("no more")
        while libc.msgsnd(queue, struct.pack("l", 1) + bytes(8000), 8000, 0o4000) == 0:
            pass
""",
    "makes folders within folders": """
def attack(x):
    os.chdir("/work")
    while True:
        os.mkdir("d")
        os.chdir("d")
""",
    "makes links without end": """
def attack(x):
    number = 0
    open("/work/origin", "w").close()
    while True:
        number += 1
        os.symlink("x" * 4000, f"/work/s{number}")
        os.link("/work/origin", f"/work/h{number}")
""",
    "makes a file with a hole": """
def attack(x):
    with open("/work/hole", "wb") as file:
        file.seek(1 << 50)
        file.write(b"x")
""",
    "reserves the disk": """
def attack(x):
    fd = os.open("/work/reserved", os.O_CREAT | os.O_WRONLY)
    os.posix_fallocate(fd, 0, 1 << 40)
""",
    "fills the temporary folder": """
def attack(x):
    while True:
        fd, _ = tempfile.mkstemp()
        os.write(fd, bytes(1 << 24))
""",
    "watches files without end": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    while True:
        fd = libc.inotify_init()
        if fd < 0:
            raise OSError("no more")
        libc.inotify_add_watch(fd, b"/jail", 0xFFF)
""",
    "sets timers without end": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0:
        pass
    raise OSError("no more")
""",
    "queues signals to itself without end": """
def attack(x):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), 0) == 0:
        pass
    raise OSError("no more")
""",
    "locks its memory": """
def attack(x):
    if ctypes.CDLL(None).mlockall(3) == 0:
        hoard = [bytearray(1 << 26) for _ in range(30)]
    raise MemoryError
""",
    "starts threads with large stacks": """
threading.stack_size(1 << 28)
def attack(x):
    while True:
        threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    "computes in more threads than there are": """
torch.set_num_threads(64)
def attack(x):
    a = torch.ones(3000, 3000)
    while True:
        a = a @ a
""",
    "allocates tensors without end": """
def attack(x):
    hoard = []
    while True:
        hoard.append(torch.ones(1 << 24))
""",
    "allocates in children": """
def attack(x):
    for _ in range(6):
        if os.fork() == 0:
            hoard = []
            while True:
                hoard.append(bytearray(1 << 24))
    time.sleep(3600)
""",
    "compiles without end": """
def attack(x):
    while True:
        compile("x = [" + "[0]," * 100_000 + "]", "own", "exec")
""",
    "evaluates a text of many parentheses": """
def attack(x):
    return eval("(" * 10**6)
""",
    "parses an integer of many digits": """
sys.set_int_max_str_digits(0)
def attack(x):
    return int("9" * 10**7)
""",
    "holds its lock in C": """
def attack(x):
    ctypes.PyDLL(None).sleep(3600)
""",
    "waits for a lock that it holds": """
def attack(x):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
""",
    "collects garbage without end": """
class Again:
    def __del__(self): Again.last = Again()
def attack(x):
    thing = Again()
    while True:
        gc.collect()
""",
    "sleeps for ever": """
def attack(x):
    signal.pause()
""",
}
