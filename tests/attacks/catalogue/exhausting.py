"""Ending the worker, and exhausting what it may use."""

ATTACKS = {
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
}
