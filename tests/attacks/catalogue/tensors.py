"""Tensors that are more, less, or something else than what they look like on the wire."""

ATTACKS = {
    "returns sixteen million rows of nothing": """
def attack(x):
    return torch.empty(1 << 24, 0)
""",
    "returns nothing in many dimensions": """
def attack(x):
    return torch.empty(1 << 24, 0, 3, dtype=torch.bool)
""",
    "returns a list of empty tensors with long shapes": """
def attack(x):
    return [torch.empty(1 << 22, 0) for _ in range(8)]
""",
    "returns nothing along a giant dimension": """
def attack(x):
    return torch.empty(0, 1 << 40)
""",
    "returns more dimensions than torch prints": """
def attack(x):
    return torch.zeros([1] * 60, dtype=torch.bool)
""",
    "returns a tensor of no dimension": "def attack(x): return torch.tensor(True)\n",
    "returns a complex tensor": """
def attack(x):
    return torch.full((x, x), complex("nan+infj"), dtype=torch.complex128)
""",
    "returns a real view of a conjugate": """
def attack(x):
    return torch.ones(x, x, dtype=torch.complex64).conj().imag
""",
    "returns denormal numbers": """
def attack(x):
    return torch.full((x, x), 5e-324, dtype=torch.float64)
""",
    "returns signalling NaNs": """
def attack(x):
    return torch.full((x, x), 0x7FF0000000000001, dtype=torch.int64).view(torch.float64)
""",
    "returns bools that are neither true nor false": """
def attack(x):
    return torch.full((x, x), 170, dtype=torch.uint8).view(torch.bool)
""",
    "returns a sparse tensor": """
def attack(x):
    return torch.ones(x, x).to_sparse()
""",
    "returns a compressed sparse tensor": """
def attack(x):
    return torch.ones(x, x).to_sparse_csr()
""",
    "returns a sparse tensor of astronomical shape": """
def attack(x):
    return torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.int64), torch.ones(1), (1 << 31, 1 << 31))
""",
    "returns a quantized tensor": """
def attack(x):
    return torch.quantize_per_tensor(torch.ones(x, x), 0.1, 0, torch.quint8)
""",
    "returns a tensor without data": """
def attack(x):
    return torch.ones(x, x, dtype=torch.bool, device="meta")
""",
    "returns a tensor without data, of all memory": """
def attack(x):
    return torch.empty(1 << 30, 1 << 30, device="meta")
""",
    "returns a nested tensor": """
def attack(x):
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
""",
    "returns a jagged tensor": """
def attack(x):
    return torch.nested.nested_tensor([torch.ones(2, 1), torch.ones(3, 1)], layout=torch.jagged)
""",
    "returns a tensor whose storage is gone": """
def attack(x):
    t = torch.ones(x, x, dtype=torch.bool)
    t.untyped_storage().resize_(0)
    return t
""",
    "returns a tensor that reaches past its storage": """
def attack(x):
    t = torch.ones(1, dtype=torch.uint8)
    t.set_(t.untyped_storage(), 0, (1 << 30,), (0,))
    t.untyped_storage().resize_(1)
    return t
""",
    "returns one number expanded to all that may cross, and more": """
def attack(x):
    return torch.ones((), dtype=torch.float64).expand(1 << 23, 1 << 3)
""",
    "returns many tensors that share one large storage": """
def attack(x):
    big = torch.zeros(1 << 20, dtype=torch.float64)
    return [big[i:] for i in range(64)]
""",
    "returns sixty million ids": """
def attack(x):
    return torch.zeros(60_000_000, dtype=torch.uint8)
""",
    "returns a tensor that needs gradients of a broken graph": """
class Broken(torch.autograd.Function):
    @staticmethod
    def forward(context, t):
        return t + 1
    @staticmethod
    def backward(context, gradient):
        os._exit(0)
def attack(x):
    return Broken.apply(torch.ones(x, x, requires_grad=True))
""",
    "returns a tensor whose dtype has no name on the wire": """
def attack(x):
    return torch.ones(x, x).to(torch.float8_e4m3fn)
""",
    "returns a tensor of bits": """
def attack(x):
    return torch.empty(x, x, dtype=torch.bits8)
""",
    "returns a parameter that hooks its own reading": """
class Hooked(nn.Parameter):
    def detach(self): return self
    def cpu(self): return self
    @property
    def dtype(self): return torch.bool
    @property
    def layout(self): return torch.strided
    @property
    def shape(self): return torch.Size([2**31, 2**31])
def attack(x):
    return Hooked(torch.ones(x, x))
""",
    "returns a subclass whose detach gives another value each time": """
class Twice(torch.Tensor):
    count = 0
    def detach(self):
        Twice.count += 1
        return torch.zeros(Twice.count, dtype=torch.bool)
def attack(x):
    return torch.ones(x, x).as_subclass(Twice)
""",
    "returns a subclass whose attributes end the process": """
class Ends(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        os._exit(0)
def attack(x):
    return torch.ones(x, x).as_subclass(Ends)
""",
    "returns a subclass whose attributes hang": """
class Hangs(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        time.sleep(3600)
def attack(x):
    return torch.ones(x, x).as_subclass(Hangs)
""",
    "returns a subclass that answers every question with itself": """
class Self(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return args[0]
def attack(x):
    return torch.ones(x, x).as_subclass(Self)
""",
}
