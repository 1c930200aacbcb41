"""Honest code in styles that nobody listed, laid over the reference: it must keep every point.

Each of ATTENTION is appended to model/attention.py, each of NORMS to model/block.py.
"""

ATTENTION = {
    "einsum, and a mask by where": """
def attention(q, k, v, mask=None):
    scores = torch.einsum("...td,...sd->...ts", q, k) * q.size(-1) ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.full_like(scores, torch.finfo(scores.dtype).min))
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    weights = weights / torch.sum(weights, dim=-1, keepdim=True)
    return torch.einsum("...ts,...sd->...td", weights, v), weights
""",
    "baddbmm, and log-softmax": """
def attention(q, k, v, mask=None):
    lead = q.shape[:-2]
    q3, k3 = q.reshape(-1, *q.shape[-2:]), k.reshape(-1, *k.shape[-2:])
    bias = torch.zeros(q.shape[-2], k.shape[-2], dtype=q.dtype, device=q.device)
    if mask is not None:
        bias = bias.masked_fill_(mask.logical_not(), -torch.inf)
    scores = torch.baddbmm(bias.expand(len(q3), -1, -1), q3, k3.mT, beta=1, alpha=1 / math.sqrt(q.size(-1)))
    weights = F.log_softmax(scores, dim=-1).exp().unflatten(0, lead or (1,))
    weights = weights if lead else weights.squeeze(0)
    return torch.matmul(weights, v), weights
""",
    "logsumexp, without gradients for the mask": """
@torch.no_grad()
def hidden(mask, like):
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(~mask, float("-inf"))
def attention(q, k, v, mask=None):
    scores = q.matmul(k.transpose(-1, -2)).div(q.shape[-1] ** 0.5)
    if mask is not None:
        scores = scores + hidden(mask, scores)
    weights = (scores - torch.logsumexp(scores, -1, keepdim=True)).exp()
    return weights.matmul(v), weights
""",
    "loops over positions": """
def causal_average(x):
    return torch.stack([x[:, : t + 1].mean(dim=1) for t in range(x.size(1))], dim=1)
def causal_mask(T, device=None):
    rows = torch.arange(T, device=device)
    return rows.unsqueeze(1).ge(rows)
""",
    "a mask by triu, an average by a matrix": """
def causal_mask(T, device=None):
    return torch.logical_not(torch.triu(torch.ones((T, T), device=device), diagonal=1).to(torch.bool))
def causal_average(x):
    wei = torch.tril(torch.ones(x.shape[1], x.shape[1], dtype=x.dtype))
    return (wei / wei.sum(1, keepdim=True)) @ x
""",
    "a dataclass, partial, and a cache": """
import dataclasses, functools
@dataclasses.dataclass(frozen=True)
class Config:
    scale: float = 0.5
    fill: float = dataclasses.field(default=float("-inf"))
soft = functools.partial(F.softmax, dim=-1)
@functools.lru_cache(maxsize=None)
def root(d: int) -> float:
    return d ** Config().scale
def attention(q, k, v, mask=None):
    scores = q @ torch.swapaxes(k, -1, -2) / root(q.shape[-1])
    weights = soft(scores if mask is None else scores.masked_fill(mask == 0, Config().fill))
    return weights @ v, weights
""",
    "a function of autograd": """
class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(context, x, by):
        context.by = by
        return x * by
    @staticmethod
    def backward(context, gradient):
        return gradient * context.by, None
def attention(q, k, v, mask=None):
    scores = Scaled.apply(q @ k.transpose(-2, -1), q.shape[-1] ** -0.5)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, -1)
    return weights @ v, weights
""",
    "a function of autograd with a context of its own": """
class Product(torch.autograd.Function):
    @staticmethod
    def forward(a, b):
        return a @ b
    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(*inputs)
    @staticmethod
    def backward(context, gradient):
        a, b = context.saved_tensors
        return gradient @ b.mT, a.mT @ gradient
def attention(q, k, v, mask=None):
    scores = Product.apply(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1) if mask is not None else scores.softmax(-1)
    return Product.apply(weights, v), weights
""",
    "a list of parameters, and a hook": """
import torch.utils.checkpoint
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False
torch.set_float32_matmul_precision("highest")
class Head(nn.Module):
    def __init__(self, n_embd, head_size, block_size, dropout=0.0):
        super().__init__()
        self.maps = nn.ParameterList([nn.Parameter(torch.empty(head_size, n_embd)) for _ in range(3)])
        for weight in self.maps:
            nn.init.normal_(weight, std=0.02)
        self.drop = nn.Dropout(p=dropout)
        self.register_buffer("tril", torch.tril(torch.ones(block_size, block_size)))
        self.register_forward_hook(lambda module, given, out: out.clone())
    @property
    def seen(self): return self.tril.bool()
    def forward(self, x):
        T = x.shape[1]
        q, k, v = torch.chunk(F.linear(x, torch.cat(list(self.maps))), 3, dim=-1)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        scores = scores.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        return self.drop(F.softmax(scores, dim=-1)) @ v
    @torch.no_grad()
    def load_weights(self, tensors):
        for name, weight in zip("qkv", self.maps):
            weight.copy_(tensors[name].t())
""",
    "compiled and scripted": """
@torch.jit.script
def masked(scores: torch.Tensor, mask: torch.Tensor):
    return scores.masked_fill(~mask, float("-inf"))
@torch.compile
def product(a, b): return torch.bmm(a, b) if a.ndim == 3 else torch.matmul(a, b)
@torch.compile(dynamic=True)
def attention(q, k, v, mask=None):
    scores = product(q, k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    weights = torch.special.softmax(scores if mask is None else masked(scores, mask), -1)
    return product(weights, v), weights
""",
}

START = """
class LayerNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(n_embd)), nn.Parameter(torch.zeros(n_embd))
        self.reset()
    def reset(self):
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
    def load_weights(self, tensors):
        with torch.no_grad():
            self.weight.data.copy_(tensors["weight"])
            self.bias.data.copy_(tensors["bias"])
"""

NORMS = {
    "rsqrt of var_mean": """
    def forward(self, x):
        var, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) * torch.rsqrt(var + self.eps), self.weight).to(x.dtype)
""",
    "std and hypot": """
    def forward(self, x):
        std = x.std(-1, correction=0, keepdim=True)
        return (x - x.mean(-1, True)) / torch.hypot(std, torch.full_like(std, self.eps**0.5)) * self.weight + self.bias
""",
    "a norm of a vector": """
    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
        return centred / (length.square() / x.shape[-1] + self.eps).sqrt() * self.weight + self.bias
""",
    "sums, powers and negative powers": """
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.size(-1)
        centred = torch.sub(x, torch.div(torch.sum(x, dim=-1, keepdim=True), n))
        return centred * centred.pow(2).sum(-1, keepdim=True).div(n).add(self.eps).pow(-0.5) * self.weight + self.bias
""",
    "einsum, inner products, and a static method": """
    @staticmethod
    @torch.jit.script
    def moment(x):
        return torch.einsum("...c,...c->...", x, x)[..., None] / x.shape[-1]
    def forward(self, x):
        centred = x.sub(x.mean(dim=-1, keepdim=True))
        return torch.mul(centred, 1 / torch.sqrt(self.moment(centred) + self.eps)).mul(self.weight).add(self.bias)
""",
}
