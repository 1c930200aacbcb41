"""Lying on the wire: forged, delayed, truncated and inflated answers."""

ATTACKS = {
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
}
