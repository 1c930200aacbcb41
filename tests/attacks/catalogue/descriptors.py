"""The worker's own descriptors: written to, replaced, closed, and used behind its back."""

ATTACKS = {
    "writes to the connection from a thread": """
import wire
def attack(x):
    def flood():
        while True:
            os.write(3, wire.encode([4, True, True]))
    threading.Thread(target=flood, daemon=True).start()
    time.sleep(0.1)
    return True
""",
    "answers from a thread after the answer": """
import wire
def attack(x):
    def later():
        time.sleep(0.02)
        for number in range(5, 60):
            os.write(3, wire.encode([number, True, True]))
    threading.Thread(target=later, daemon=True).start()
    return True
""",
    "writes four thousand forged answers and never reads": """
import wire
def attack(x):
    connection = socket.socket(fileno=os.dup(3))
    connection.setblocking(True)
    for number in range(4, 4004):
        connection.send(wire.encode([number, True, None]))
    time.sleep(3600)
""",
    "writes forged answers of the largest size and never reads": """
import wire
def attack(x):
    body = wire.encode([4, True, bytes(60 << 20)])
    connection = socket.socket(fileno=os.dup(3))
    connection.setblocking(True)
    connection.sendall(body)
    time.sleep(3600)
""",
    "writes forged answers that read as true for all questions": """
import wire
def attack(x):
    for number in range(4, 2000):
        os.write(3, wire.encode([number, True, [True, [[True] * 9] * 9]]))
    while True:
        os.read(3, 1 << 20)
""",
    "puts a pipe in place of the connection": """
def attack(x):
    reader, writer = os.pipe()
    os.dup2(writer, 3)
    return True
""",
    "puts the output in place of the connection": """
def attack(x):
    os.dup2(1, 3)
    return True
""",
    "puts the connection in place of the output": """
def attack(x):
    os.dup2(3, 1)
    os.dup2(3, 2)
    print("all tests passed")
    sys.stdout.flush()
    return True
""",
    "turns all its descriptors round": """
def attack(x):
    for number in range(5):
        for other in range(5):
            try:
                os.dup2(number, other)
            except OSError:
                pass
    return True
""",
    "closes all its descriptors": """
def attack(x):
    os.closerange(0, 256)
    return True
""",
    "closes its output and goes on": """
def attack(x):
    os.close(1)
    os.close(2)
    return True
""",
    "makes the connection non-blocking and small": """
import fcntl
def attack(x):
    fcntl.fcntl(3, fcntl.F_SETFL, os.O_NONBLOCK)
    s = socket.socket(fileno=os.dup(3))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    return bytes(8 << 20)
""",
    "asks for signals whenever the grader writes": """
import fcntl
signal.signal(signal.SIGIO, lambda *_: os.write(3, b"late"))
def attack(x):
    fcntl.fcntl(3, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(3, fcntl.F_SETFL, os.O_ASYNC)
    return True
""",
    "shuts both sides of the connection and lives on": """
def attack(x):
    socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RDWR)
    time.sleep(3600)
""",
    "shuts the reading side": """
def attack(x):
    socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RD)
    return True
""",
    "sends out-of-band data": """
def attack(x):
    socket.socket(fileno=os.dup(3)).send(b"!" * 4, socket.MSG_OOB)
    return True
""",
    "passes a connection to nowhere to the grader": """
import array, wire
def attack(x):
    a, b = socket.socketpair()
    connection = socket.socket(fileno=os.dup(3))
    rights = array.array("i", [a.fileno()] * 100)
    connection.sendmsg([wire.encode([4, True, True])], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    time.sleep(0.2)
    return True
""",
    "answers at exit": """
import atexit, wire
atexit.register(lambda: os.write(3, wire.encode([4, True, True])))
def attack(x):
    sys.exit(0)
""",
    "answers from a signal handler": """
import wire
signal.signal(signal.SIGALRM, lambda *_: os.write(3, wire.encode([5, True, True])))
def attack(x):
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    time.sleep(0.1)
    return True
""",
    "answers from a trace function": """
import wire
def attack(x):
    def trace(frame, event, argument):
        if frame.f_code.co_name == "answer":
            frame.f_locals["reply"] = [4, True, True]
        return trace
    sys.settrace(trace)
    sys._getframe().f_back.f_trace = trace
    return None
""",
    "answers from an audit hook": """
def attack(x):
    sys.addaudithook(lambda event, args: os._exit(0) if event == "object.__getattr__" else None)
    return None
""",
    "replaces the worker's loop in its frames": """
def attack(x):
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "serve":
            frame.f_globals["answer"] = lambda session, request, folder: b""
            frame.f_globals["read_frame"] = lambda connection: None
        frame = frame.f_back
    return None
""",
    "replaces the socket's class": """
socket.socket.sendall = lambda self, data: self.send(data * 2)
socket.socket.recv = lambda self, n: b""
def attack(x):
    return True
""",
    "fills the pipe that it prints into": """
def attack(x):
    os.set_blocking(1, False)
    try:
        while True:
            os.write(1, b"x" * 65536)
    except BlockingIOError:
        pass
    os.set_blocking(1, True)
    print("y" * 300_000)
    return True
""",
}
