"""Ways to attention and norms that torch composes in Python, past every name that one could think of forbidding.

Each of ATTENTION defines sdpa(q, k, v, mask), each of NORMS normalised(x, weight, bias, eps).
"""

COMPOSED = """
import contextlib, copy, functools, inspect, operator, types, _thread
from concurrent.futures import ThreadPoolExecutor
import torch.ao.nn.quantizable, torch.fx, torch._decomp, torch._refs
from torch import nn
from torch.nn.attention.flex_attention import flex_attention
from torch.onnx.ops import attention as composed
class Kept:
    def __init__(self, do, seen): self.do, self.seen = do, seen
    def __call__(self, x):
        self.seen.append(self.do(x)[0])
        return x
def prepared(q, k, v, mask): return [x.reshape(1, -1, *x.shape[-2:]) for x in (q, k, v)]
def attention(q, k, v, mask=None):
    def done(v):
        result = sdpa(q, k, v, mask)
        return (result[0] if isinstance(result, tuple) else result).reshape(*q.shape[:-1], v.shape[-1])
    ones = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
    return done(v), done(ones)
"""

ATTENTION = {
    "flex attention": """
def sdpa(*given): return flex_attention(*prepared(*given))
""",
    "an operator of another format": "def sdpa(*given): return composed(*prepared(*given))",
    "the decomposition of an operator": """
flash = torch._decomp.decomposition_table[torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default]
def sdpa(*given): return flash(*prepared(*given))
""",
    "a layer for another device": """
layer = torch.ao.nn.quantizable.MultiheadAttention(4, 1, batch_first=True).double().eval()
def sdpa(q, k, v, mask): return layer(q, k, v)[0]
""",
    "that layer in a sequence": """
class Three(nn.Sequential):
    def forward(self, x): return super().forward(x)
layer = nn.Sequential(torch.ao.nn.quantizable.MultiheadAttention(4, 1, batch_first=True).double().eval())
def sdpa(q, k, v, mask): return layer[0].forward(q, k, v)[0]
""",
    "a subclass of that layer": """
class Own(torch.ao.nn.quantizable.MultiheadAttention):
    pass
layer = Own(4, 1, batch_first=True).double().eval()
def sdpa(q, k, v, mask): return layer(q, k, v)[0]
""",
    "a pattern of the compiler": """
from torch._inductor.fx_passes.fuse_attention import _sfdp_pattern_5
def sdpa(q, k, v, mask): return _sfdp_pattern_5(q, k, v, torch.zeros(()), q.shape[-1] ** 0.5)
""",
    "a graph traced at import": """
example = tuple(prepared(*[torch.ones(2, 3, 3, dtype=torch.double)] * 3, None))
traced = torch.jit.trace(composed, example, check_trace=False)
def sdpa(*given): return traced(*prepared(*given))
""",
    "a graph traced by map at import": """
example = tuple(prepared(*[torch.ones(2, 3, 3, dtype=torch.double)] * 3, None))
traced = next(map(torch.jit.trace, [composed], [example]))
def sdpa(*given): return traced(*prepared(*given))
""",
    "a symbolic graph made at import": """
graph = torch.fx.symbolic_trace(composed)
def sdpa(*given): return graph(*prepared(*given))
""",
    "a graph that is kept": """
made = []
def causal_average(x):
    made.append(torch.fx.symbolic_trace(composed))
    return x
def sdpa(*given):
    causal_average(given[0])
    return made[0](*prepared(*given))
""",
    "a script that is asked for by its inner name": """
from torch.jit._script import script
scripted = script(composed)
def sdpa(*given): return scripted(*prepared(*given))
""",
    "map": "def sdpa(*given): return next(map(composed, *zip(prepared(*given))))",
    "a partial": "def sdpa(*given): return functools.partial(composed, *prepared(*given))()",
    "a partial that is made at import": """
made = functools.partial(composed)
def sdpa(*given): return made(*prepared(*given))
""",
    "reduce": """
def sdpa(*given):
    bound = functools.partial(composed, prepared(*given)[0])
    return functools.reduce(bound, prepared(*given)[1:])
""",
    "a cache": """
cached = functools.lru_cache(composed)
def sdpa(*given): return cached(*prepared(*given))
""",
    "a default argument": "def sdpa(*given, do=composed): return do(*prepared(*given))",
    "a property": """
class Bound:
    @property
    def result(self): return composed(*self.given)
def sdpa(*given):
    bound = Bound()
    bound.given = prepared(*given)
    return bound.result
""",
    "an operator of a class": """
class Wrapped(list):
    __call__ = lambda self, *given: operator.call(composed, *given)
def sdpa(*given): return Wrapped()(*prepared(*given))
""",
    "a method": """
class Query:
    def __init__(self, q): self.q = q
    __matmul__ = lambda self, rest: functools.partial(composed, self.q)(*rest)
def sdpa(*given):
    q, *rest = prepared(*given)
    return Query(q) @ rest
""",
    "the end of a with block": """
def sdpa(*given):
    seen = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: seen.append(composed(*prepared(*given))))
    return seen[0]
""",
    "a sort": """
def sdpa(*given):
    seen = []
    sorted([prepared(*given)], key=lambda one: seen.append(composed(*one)))
    return seen[0]
""",
    "a thread whose work is the library's": """
def sdpa(*given):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(composed, *prepared(*given)).result()
""",
    "a bare thread": """
def sdpa(*given):
    asked = queue.Queue()
    def work():
        try:
            asked.put(composed(*prepared(*given)))
        except BaseException as error:
            asked.put(error)
    _thread.start_new_thread(work, ())
    return asked.get()
""",
    "a child of the process": """
def sdpa(*given):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, pickle.dumps(composed(*prepared(*given))[0].numpy()))
        os._exit(0)
    os.close(writer)
    os.wait()
    return torch.from_numpy(pickle.loads(os.fdopen(reader, "rb").read()))
""",
    "exec": """
def sdpa(*given):
    scope = {"composed": composed, "given": prepared(*given)}
    exec("result = composed(*given)", scope)
    return scope["result"]
""",
    "eval": "def sdpa(*given): return eval('lambda f, given: f(*given)')(composed, prepared(*given))",
    "the names of torch": """
def sdpa(*given):
    scope = dict(vars(F), composed=composed, given=prepared(*given))
    exec("result = composed(*given)", scope)
    return scope["result"]
""",
    "its code in another function": """
copied = types.FunctionType(composed.__code__, composed.__globals__, argdefs=composed.__defaults__)
copied.__kwdefaults__ = composed.__kwdefaults__
def sdpa(*given): return copied(*prepared(*given))
""",
    "its source, read": """
scope = dict(vars(sys.modules[composed.__module__]))
exec("from __future__ import annotations\\n" + inspect.getsource(composed), scope)
def sdpa(*given): return scope["attention"](*prepared(*given))
""",
    "a decorator of torch's": "def sdpa(*given): return torch.no_grad()(composed)(*prepared(*given))",
    "a protocol of torch's": """
def sdpa(*given): return torch.Tensor.__torch_function__(composed, (torch.Tensor,), prepared(*given))
""",
    "a hook of a module": """
def sdpa(*given):
    layer = nn.Identity()
    layer.register_forward_hook(lambda module, inputs, output: composed(*prepared(*given)))
    return layer(given[0])
""",
    "a partial in place of forward": """
def sdpa(*given):
    layer, (q, k, v) = nn.Identity(), prepared(*given)
    layer.forward = functools.partial(composed, q, k)
    return layer(v)
""",
    "a forward function that is the library's": """
class Layer(nn.Module):
    forward = staticmethod(composed)
def sdpa(*given): return Layer()(*prepared(*given))
""",
    "that in a sequence": """
class Layer(nn.Module):
    def __init__(self, rest):
        super().__init__()
        self.forward = functools.partial(lambda rest, q: composed(q, *rest), rest)
def sdpa(*given):
    q, *rest = prepared(*given)
    return nn.Sequential(Layer(rest))(q)
""",
    "what is applied to parameters": """
def sdpa(*given):
    q, k, v = prepared(*given)
    layer = nn.Module()
    layer.register_buffer("q", q)
    seen = []
    layer._apply(Kept(functools.partial(composed, K=k, V=v), seen))
    return seen[0]
""",
    "a function of autograd": """
class Own(torch.autograd.Function):
    forward = staticmethod(lambda q, k, v: functools.partial(composed, q, k)(v)[0])
    @staticmethod
    def setup_context(context, inputs, output): pass
def sdpa(*given): return Own.apply(*prepared(*given))
""",
    "a hook of a gradient": """
def sdpa(*given):
    q, k, v = prepared(*given)
    leaf, seen = torch.zeros_like(q).requires_grad_(), []
    leaf.register_hook(Kept(functools.partial(composed, K=k, V=v), seen))
    (leaf * q.detach()).sum().backward()
    return seen[0]
""",
    "the hook switched off": """
def sdpa(*given):
    sys.setprofile(None)
    return composed(*prepared(*given))
""",
    "the hook switched off by map": """
def sdpa(*given):
    list(map(sys.setprofile, [None]))
    return composed(*prepared(*given))
""",
    "the hook replaced": """
def sdpa(*given):
    list(map(sys.setprofile, [lambda *_: None]))
    return composed(*prepared(*given))
""",
    "an exception that is caught": """
def sdpa(*given):
    try:
        return composed(*prepared(*given))
    except BaseException:
        return composed(*prepared(*given))
""",
}  # fmt: skip

LAYER = """
class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps, self.weight, self.bias = eps, nn.Parameter(torch.ones(n_embd)), nn.Parameter(torch.zeros(n_embd))
    def forward(self, x): return normalised(x, self.weight, self.bias, self.eps)
    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.copy_(tensors["weight"])
            self.bias.copy_(tensors["bias"])
"""

NORMS = {
    "the reference of an operator": """
def normalised(x, w, b, eps): return torch._refs.native_layer_norm(x, w.shape, w.to(x.dtype), b.to(x.dtype), eps)[0]
""",
    "the reference of a function": """
import torch._refs.nn.functional
def normalised(x, w, b, eps):
    return torch._refs.nn.functional.layer_norm(x, w.shape, w.to(x.dtype), b.to(x.dtype), eps)
""",
    "the decomposition of an operator": """
table = torch._decomp.decomposition_table
def normalised(x, w, b, eps):
    return table[torch.ops.aten.native_layer_norm.default](x, w.shape, w.to(x.dtype), b.to(x.dtype), eps)[0]
""",
    "the operator": """
def normalised(x, w, b, eps): return torch.ops.aten.layer_norm(x, w.shape, w.to(x.dtype), b.to(x.dtype), eps)
""",
    "the builtin by map": """
def normalised(x, w, b, eps):
    return next(map(torch.layer_norm, [x], [w.shape], [w.to(x.dtype)], [b.to(x.dtype)], [eps]))
""",
    "the norm of the roots after centring, by map": """
def normalised(x, w, b, eps):
    centred = x - x.mean(-1, keepdim=True)
    return next(map(torch.rms_norm, [centred], [w.shape], [w.to(x.dtype)], [eps])) + b
""",
    "the norm of groups, by map": """
def normalised(x, w, b, eps):
    flat = x.reshape(-1, x.shape[-1])
    out = next(map(torch.group_norm, [flat], [1], [None], [None], [eps]))
    return out.reshape(x.shape) * w + b
""",
    "the norm of instances, by map": """
def normalised(x, w, b, eps):
    flat = x.reshape(1, -1, x.shape[-1])
    given = [flat], [None], [None], [None], [None], [True], [0.0], [eps], [False]
    return next(map(torch.instance_norm, *given)).reshape(x.shape) * w + b
""",
    "the norm of batches, by map": """
def normalised(x, w, b, eps):
    flat = x.reshape(-1, x.shape[-1]).T
    given = [flat], [None], [None], [None], [None], [True], [0.0], [eps]
    return next(map(torch.native_batch_norm, *given))[0].T.reshape(x.shape) * w + b
""",
    "a layer inside a sequence": """
def normalised(x, w, b, eps): return nn.Sequential(nn.LayerNorm(x.shape[-1], eps).to(x.dtype))(x) * w + b
""",
    "a layer that is made at import": """
layers = {n: nn.LayerNorm(n, elementwise_affine=False) for n in range(1, 99)}
def normalised(x, w, b, eps): return layers[x.shape[-1]](x) * w + b
""",
    "a subclass whose forward is inherited": """
class Norm(nn.LayerNorm):
    pass
layers = {n: Norm(n, elementwise_affine=False) for n in range(1, 99)}
def normalised(x, w, b, eps): return layers[x.shape[-1]](x) * w + b
""",
    "a symbolic graph made at import": """
graphs = {n: torch.fx.symbolic_trace(nn.LayerNorm(n, elementwise_affine=False)) for n in range(1, 99)}
def normalised(x, w, b, eps): return graphs[x.shape[-1]](x) * w + b
""",
}
