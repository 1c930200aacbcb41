"""Processes and signals: outliving the item, answering twice, and ending others."""

ATTACKS = {
    "signals its whole group": "def attack(x): os.kill(0, signal.SIGKILL)\n",
    "signals process one": """
def attack(x):
    os.kill(1, signal.SIGTERM)
    return True
""",
    "signals its group to stop": """
def attack(x):
    os.kill(0, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
""",
    "signals everything that it can number": """
def attack(x):
    for pid in list(range(-100, 0)) + list(range(2, 3000)):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
        leak(pid)
""",
    "signals the parent that it sees": """
def attack(x):
    if os.getppid() != 0:
        leak(os.getppid())
    os.kill(os.getppid(), signal.SIGKILL)
""",
    "forks, and both answer": """
def attack(x):
    os.fork()
    return True
""",
    "forks, and the child answers for ever": """
import wire
def attack(x):
    if os.fork() == 0:
        while True:
            os.write(3, wire.encode([4, True, True]))
    time.sleep(0.2)
    return True
""",
    "forks, and the parent leaves the child to serve": """
def attack(x):
    if os.fork():
        os._exit(0)
    return True
""",
    "forks twice, and leaves a session behind": """
def attack(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3):
                os.close(fd)
            time.sleep(3600)
        os._exit(0)
    return True
""",
    "forks a child that stops itself": """
def attack(x):
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return True
""",
    "forks a child that holds the connection open": """
def attack(x):
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
""",
    "leaves zombies behind": """
def attack(x):
    for _ in range(12):
        if os.fork() == 0:
            os._exit(0)
    return True
""",
    "forks without end in threads": """
def fork():
    while True:
        try:
            if os.fork() == 0:
                time.sleep(0.01)
        except OSError:
            pass
def attack(x):
    for _ in range(4):
        threading.Thread(target=fork, daemon=True).start()
    time.sleep(3600)
""",
    "shares its memory with a child": """
def attack(x):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(56, 0x100 | 17, 0, 0, 0, 0)
    return True
""",
    "asks to outlive the template": """
def attack(x):
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
    os.kill(os.getpid(), signal.SIGKILL)
""",
    "asks to reap the orphans of others": """
def attack(x):
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    leak(os.waitpid(-1, 0))
""",
    "makes itself the most important process": """
def attack(x):
    for call in (lambda: os.nice(-20), lambda: os.setpriority(os.PRIO_USER, 0, -20),
                 lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))):
        try:
            call()
        except OSError:
            continue
        leak("priority")
""",
    "makes the priority of others its own matter": """
def attack(x):
    for pid in range(2, 400):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, 19)
        except OSError:
            continue
        leak(pid)
""",
    "changes the limits of others": """
def attack(x):
    for pid in range(2, 400):
        try:
            leak(resource.prlimit(pid, resource.RLIMIT_CPU))
        except OSError:
            pass
""",
    "opens other processes by descriptor": """
def attack(x):
    for pid in range(2, 400):
        try:
            leak(os.pidfd_open(pid))
        except OSError:
            pass
""",
    "starts processes of multiprocessing that never end": """
import multiprocessing
def attack(x):
    for _ in range(20):
        multiprocessing.Process(target=time.sleep, args=(3600,)).start()
    return True
""",
    "resumes after it has been given up": """
def attack(x):
    if os.fork() == 0:
        time.sleep(0.1)
        os.kill(1, signal.SIGCONT)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGSTOP)
    return True
""",
}
