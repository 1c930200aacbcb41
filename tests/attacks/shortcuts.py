"""Ways to a forbidden library operator. Each defines sdpa(q, k, v, mask), called while
`torch.nn.functional.scaled_dot_product_attention` is not allowed; the code around it runs at import, when it still is.
"""

PREAMBLE = """
import gc, importlib, os, pickle, queue, sys, threading
from concurrent.futures import ThreadPoolExecutor
import torch
import torch.nn.functional as F
saved = F.scaled_dot_product_attention
"""

# The weights are what attention does to a table of ones: with the operator allowed, this passes the items.
CALLED = """
def attention(q, k, v, mask=None):
    ones = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
    return sdpa(q, k, v, mask), sdpa(q, k, ones, mask)
"""

SHORTCUTS = {
    "by its name": "def sdpa(q, k, v, mask): return F.scaled_dot_product_attention(q, k, v, mask)",
    "by an alias": "def sdpa(q, k, v, mask): return saved(q, k, v, mask)",
    "by a name put back": """
def sdpa(q, k, v, mask):
    F.scaled_dot_product_attention = saved
    return F.scaled_dot_product_attention(q, k, v, mask)
""",
    "by loading the module again": """
def sdpa(q, k, v, mask):
    return importlib.reload(F).scaled_dot_product_attention(q, k, v, mask)
""",
    "by searching for the function": """
del saved
gc.unfreeze()
def sdpa(q, k, v, mask):
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            found = thing.get("scaled_dot_product_attention")
            if type(found) is type(len):
                return found(q, k, v, mask)
""",
    "by torch._C": "def sdpa(q, k, v, mask): return torch._C._nn.scaled_dot_product_attention(q, k, v, mask)",
    "by torch.ops": "def sdpa(q, k, v, mask): return torch.ops.aten.scaled_dot_product_attention(q, k, v, mask)",
    "by the operator inside": """
def sdpa(q, k, v, mask): return torch.ops.aten._scaled_dot_product_attention_math(q, k, v, mask)[0]
""",
    "by the operator inside, taken apart": """
def sdpa(q, k, v, mask):
    return torch.ops.aten._scaled_dot_product_attention_math.default.decompose(q, k, v, mask)[0]
""",
    "by the fused kernel": """
def sdpa(q, k, v, mask):
    q, k, v = (x.reshape(1, -1, *x.shape[-2:]) for x in (q, k, v))
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[0][0]
""",
    "in a thread": """
def sdpa(q, k, v, mask):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(saved(q, k, v, mask)))
    thread.start()
    thread.join()
    return seen[0]
""",
    "in a thread that has waited since the import": """
asked, answered = queue.Queue(), queue.Queue()
def serve():
    while True:
        try:
            answered.put(saved(*asked.get()))
        except BaseException as error:
            answered.put(error)
threading.Thread(target=serve, daemon=True).start()
def sdpa(q, k, v, mask):
    asked.put((q, k, v, mask))
    answer = answered.get()
    if isinstance(answer, BaseException):
        raise answer
    return answer
""",
    "in a pool of threads": """
pool = ThreadPoolExecutor(1)
pool.submit(int).result()
def sdpa(q, k, v, mask): return pool.submit(saved, q, k, v, mask).result()
""",
    "in a child process": """
def sdpa(q, k, v, mask):
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writer, pickle.dumps(saved(q, k, v, mask).numpy()))
        finally:
            os._exit(0)
    os.close(writer)
    os.wait()
    return torch.from_numpy(pickle.loads(os.fdopen(reader, "rb").read()))
""",
    "in another interpreter": """
import subprocess
CODE = "import sys; sys.path[:] = %r; import pickle, torch; i, o = sys.stdin.buffer, sys.stdout.buffer;" % (sys.path,)
CODE += "o.write(pickle.dumps(torch.nn.functional.scaled_dot_product_attention(*pickle.load(i))))"
def sdpa(q, k, v, mask):
    done = subprocess.run([sys.executable, "-c", CODE], input=pickle.dumps((q, k, v, mask)), capture_output=True)
    return pickle.loads(done.stdout)
""",
    "in TorchScript": """
@torch.jit.script
def script(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)
def sdpa(q, k, v, mask): return script(q, k, v)
""",
    "in a thread of TorchScript": """
@torch.jit.script
def script(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)
def sdpa(q, k, v, mask): return torch.jit.wait(torch.jit.fork(script, q, k, v))
""",
    "traced": """
traced = torch.jit.trace(saved, [torch.ones(2, 3)] * 3)
def sdpa(q, k, v, mask): return traced(q, k, v)
""",
    "compiled": """
compiled = torch.compile(lambda q, k, v: saved(q, k, v), backend="eager")
def sdpa(q, k, v, mask): return compiled(q, k, v)
""",
    "as a graph": """
from torch.fx.experimental.proxy_tensor import make_fx
def sdpa(q, k, v, mask): return make_fx(lambda q, k, v: saved(q, k, v))(q, k, v)(q, k, v)
""",
    "in a function of autograd": """
class Own(torch.autograd.Function):
    @staticmethod
    def forward(context, q, k, v, mask):
        return saved(q, k, v, mask)
def sdpa(q, k, v, mask): return Own.apply(q, k, v, mask)
""",
    "in the backward pass": """
class Later(torch.autograd.Function):
    @staticmethod
    def forward(context, q, k, v):
        context.save_for_backward(q, k, v)
        return v.new_zeros(*q.shape[:-1], v.shape[-1])
    @staticmethod
    def backward(context, gradient):
        Later.seen = saved(*context.saved_tensors)
        return None, None, None
def sdpa(q, k, v, mask):
    Later.apply(q.requires_grad_(), k, v).sum().backward()
    return Later.seen
""",
    "mapped over a dimension": """
def sdpa(q, k, v, mask):
    return torch.vmap(saved)(q[None], k[None], v[None])[0]
""",
    "without gradients": """
def sdpa(q, k, v, mask):
    with torch.inference_mode():
        return saved(q, k, v, mask)
""",
    "with all modes off": """
from torch.utils._python_dispatch import _disable_current_modes
def sdpa(q, k, v, mask):
    with _disable_current_modes():
        return saved(q, k, v, mask)
""",
    "on a tensor subclass": """
class Own(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))
def sdpa(q, k, v, mask): return saved(q.as_subclass(Own), k, v, mask).as_subclass(torch.Tensor)
""",
    "on nested tensors": """
def sdpa(q, k, v, mask):
    nested = [torch.nested.nested_tensor([x[None]], layout=torch.jagged) for x in (q, k, v)]
    return saved(*nested).unbind()[0][0]
""",
    "by the layer around it": """
layer = torch.nn.MultiheadAttention(4, 1, batch_first=True).double().eval()
def sdpa(q, k, v, mask): return layer(q, k, v)[0]
""",
    "by the function around it": """
around = F.multi_head_attention_forward
def sdpa(q, k, v, mask):
    size, none = q.shape[-1], torch.zeros(3 * q.shape[-1])
    eye = torch.eye(size, dtype=q.dtype)
    return around(q, k, v, size, 1, torch.cat([eye] * 3), none, None, None, False, 0.0, eye, none[:size])[0]
""",
}
