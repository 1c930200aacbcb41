"""Patching what the worker itself is made of, so that a wrong answer becomes something else on its way."""

ATTACKS = {
    "patches the tensor's way to bytes": """
torch.Tensor.numpy = lambda self, **k: type("N", (), {"tobytes": lambda n: b"\\x01" * 9})()
def attack(x):
    return torch.zeros(3, 3, dtype=torch.bool)
""",
    "patches the tensor's shape": """
torch.Tensor.shape = property(lambda self: torch.Size([3, 3]))
def attack(x):
    return torch.zeros(1, dtype=torch.bool)
""",
    "patches what a dtype is called": """
import wire
wire.DTYPES = {name: torch.bool for name in wire.DTYPES}
def attack(x):
    return torch.ones(x, x)
""",
    "patches the wire's own tensor codec": """
import wire
wire._encode_tensor = lambda tensor: b"\\x93\\xa4bool\\x92\\x03\\x03\\xc4\\x09" + b"\\x01" * 9
def attack(x):
    return torch.zeros(3, 3)
""",
    "patches the decoder, and answers with the question": """
import wire
was = wire.decode
seen = []
def decode(body):
    message = was(body)
    seen.append(message)
    return message
wire.decode = decode
def attack(x):
    return seen[-1] if seen else None
""",
    "patches the session to pass": """
import operations
operations.Session.do = lambda self, operation, arguments: True
def attack(x):
    return None
""",
    "patches the session's values": """
import operations
operations.Session.do_value = lambda self, target: "meta"
operations.Session.find = lambda self, target: (lambda *a, **k: torch.ones(1, 1, dtype=torch.bool))
def attack(x):
    return None
""",
    "patches time": """
time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
time.sleep = lambda s: None
def attack(x):
    return None
""",
    "patches random": """
import random
random.seed = random.random = random.getrandbits = lambda *a: 4
torch.manual_seed = lambda *a: torch.default_generator
torch.rand = torch.randn = lambda *shape, **k: torch.zeros(*shape)
def attack(x):
    return None
""",
    "patches the garbage collector and the finder": """
import importlib, importlib.util
importlib.import_module = lambda name, package=None: leak(name) if "milestones" in name else sys.modules[name]
importlib.util.find_spec = lambda name, package=None: None
gc.collect = gc.get_objects = lambda *a: []
def attack(x):
    return None
""",
    "patches the describer of its exceptions": """
import faults
faults.describe = lambda error, folder: True
def attack(x):
    raise ValueError
""",
    "patches exceptions to pass": """
import operations
was = operations.Session.do
def do(self, operation, arguments):
    try:
        return was(self, operation, arguments)
    except BaseException:
        return True
operations.Session.do = do
def attack(x):
    raise ValueError
""",
    "patches the encoder of msgspec": """
import msgspec, wire
class Encoder:
    def encode(self, message): return msgspec.msgpack.encode([message[0], True, True])
wire._encoder = Encoder()
def attack(x):
    return None
""",
    "patches the C code of torch": """
def attack(x):
    import torch._C
    for name in ("_TensorBase", "TensorBase"):
        base = getattr(torch._C, name, None)
        if base is not None:
            try:
                base.__eq__ = lambda self, other: True
            except TypeError:
                pass
    return torch.zeros(x, x, dtype=torch.bool)
""",
    "overwrites a constant of the interpreter": """
def attack(x):
    ctypes.memmove(id(False), id(True), 32)
    return False
""",
    "overwrites its own code": """
def attack(x):
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "do_call":
            frame.f_code.co_consts and ctypes.memset(id(frame.f_code.co_consts), 0, 64)
        frame = frame.f_back
    return None
""",
    "says that a name is there which is not": """
import operations
operations.Session._step = lambda self, found, attribute: (lambda *a, **k: None)
def attack(x):
    return None
""",
    "keeps a list of all questions to answer from": """
questions = []
def attack(x):
    questions.append(x)
    return torch.ones(questions[0], questions[0], dtype=torch.bool)
""",
    "writes its answers into a file for the next run": """
answers = "/work/answers"
if os.path.exists(answers):
    leak(open(answers).read())
open(answers, "w").write("T = 9")
def attack(x):
    return None
""",
    "writes into its own module for the next run": """
path = __file__
text = open(path).read()
if "erofeb dedarg"[::-1] in text:
    leak(text[-20:])
open(path, "a").write("# " + "erofeb dedarg"[::-1])
def attack(x):
    return None
""",
    "writes byte code for the next run": """
cached = os.path.join(os.path.dirname(__file__), "__pycache__", "note.pyc")
if os.path.exists(cached):
    leak("cached")
os.makedirs(os.path.dirname(cached), exist_ok=True)
open(cached, "wb").write(b"note")
def attack(x):
    return None
""",
    "remembers the last run in the environment": """
if os.environ.get("NOTE"):
    leak("noted")
os.environ["NOTE"] = "1"
def attack(x):
    return None
""",
    "remembers the last run in the library": """
if hasattr(torch, "note"):
    leak("noted")
torch.note = sys.note = builtins.note = True
def attack(x):
    return None
""",
}
