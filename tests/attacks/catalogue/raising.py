"""Exceptions that nobody expects to be raised in a call, and exceptions that are programs themselves."""

ATTACKS = {
    "raises StopIteration": "def attack(x): raise StopIteration(True)\n",
    "raises GeneratorExit": "def attack(x): raise GeneratorExit\n",
    "raises BaseException": "def attack(x): raise BaseException('passed')\n",
    "raises SystemExit with an object": "def attack(x): raise SystemExit([torch.ones(3), object()])\n",
    "raises SystemExit from a class of its own": """
class Out(SystemExit, AssertionError):
    code = property(lambda self: os._exit(0))
def attack(x):
    raise Out
""",
    "raises KeyboardInterrupt in a second thread of the harness": """
import _thread
def attack(x):
    _thread.interrupt_main()
    return True
""",
    "raises an asynchronous exception in the worker's loop": """
def attack(x):
    main = threading.main_thread().ident
    def later():
        time.sleep(0.05)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(SystemExit))
    threading.Thread(target=later, daemon=True).start()
    return True
""",
    "raises a group of everything": """
def attack(x):
    raise BaseExceptionGroup("passed", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), ValueError("x" * 10**6)])
""",
    "raises a group of a million": """
def attack(x):
    raise ExceptionGroup("passed", [ValueError()] * 1_000_000)
""",
    "raises at the end of a long chain": """
def attack(x):
    error = ValueError("first")
    for number in range(100_000):
        following = ValueError(number)
        following.__cause__ = following.__context__ = error
        error = following
    raise error
""",
    "raises from a hundred thousand frames": """
def attack(x):
    sys.setrecursionlimit(10**9)
    threading.stack_size(1 << 29)
    return attack(x)
""",
    "raises an exception that raises when it is read": """
class Odd(Exception):
    def __str__(self): raise self
    __repr__ = __str__
def attack(x):
    raise Odd
""",
    "raises an exception that hangs when it is read": """
class Odd(Exception):
    def __str__(self): time.sleep(3600)
def attack(x):
    raise Odd
""",
    "raises an exception whose message is endless": """
class Odd(Exception):
    def __str__(self): return "x" * (1 << 29)
def attack(x):
    raise Odd
""",
    "raises an exception whose message is not a message": """
class Text(str):
    def __getitem__(self, key): os._exit(0)
    def encode(self, *a): os._exit(0)
class Odd(Exception):
    def __str__(self): return Text("passed")
def attack(x):
    raise Odd
""",
    "raises an exception whose class has no honest name": """
class Meta(type):
    __name__ = property(lambda cls: os._exit(0))
    __mro__ = property(lambda cls: os._exit(0))
class Odd(Exception, metaclass=Meta):
    pass
def attack(x):
    raise Odd
""",
    "raises an exception whose class name is a list": """
class Meta(type):
    __name__ = property(lambda cls: [["passed"]] * 1000)
class Odd(Exception, metaclass=Meta):
    pass
def attack(x):
    raise Odd
""",
    "raises an exception with ten thousand bases": """
bases = tuple(type(f"B{i}", (Exception,), {}) for i in range(3000))
Odd = type("Odd", bases, {})
def attack(x):
    raise Odd
""",
    "raises an exception with a traceback that is a loop": """
class Odd(Exception):
    @property
    def __traceback__(self): return self
    tb_next = property(lambda self: self)
    tb_frame = property(lambda self: sys._getframe())
    tb_lineno = 1
def attack(x):
    raise Odd
""",
    "raises the harness's own faults": """
import faults, wire
def attack(x):
    raise wire.WireError("the harness is at fault")
""",
    "raises an exception that is a missing name": """
import faults
def attack(x):
    raise faults.MissingName("notes/\\n\\nall tests passed", "/etc/passwd")
""",
    "raises an assertion of pytest": """
class Skipped(BaseException):
    pass
Skipped.__module__ = "_pytest.outcomes"
def attack(x):
    raise Skipped("skipped")
""",
    "raises a SyntaxError of another file": """
def attack(x):
    raise SyntaxError("passed", ("/etc/passwd", 10**9, 10**9, "root:x:0:0", -1, -1))
""",
    "raises a SyntaxError whose place is an object": """
class Odd(SyntaxError):
    filename = property(lambda self: os._exit(0))
def attack(x):
    raise Odd("x")
""",
    "raises MemoryError at once": "def attack(x): raise MemoryError\n",
    "raises RecursionError while it is described": """
class Odd(Exception):
    def __str__(self): return str(self)
def attack(x):
    raise Odd
""",
    "raises in a finalizer, in a callback and in a hook": """
import weakref
class Thing:
    def __del__(self): raise SystemExit(0)
sys.excepthook = sys.unraisablehook = threading.excepthook = lambda *a: os._exit(0)
def attack(x):
    thing = Thing()
    weakref.finalize(thing, os.write, 3, b"late")
    del thing
    return True
""",
}
