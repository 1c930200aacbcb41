"""Library shortcuts that an item forbids, turned into a clear error while that item runs.

A name is replaced where students reach it. A Python function gets another body, so that an alias made earlier raises,
too; a class raises when it is built or called. The operators behind the well-known shortcuts are replaced in torch's
dispatcher, which every way to them goes through: any name, any thread, TorchScript, torch.compile, torch.ops.
"""

import fnmatch
import importlib
import sys
import types
import warnings

import torch
from faults import NotAllowed

IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: a class written in C, which can only be replaced by name
KEYS = (
    "CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional", "CPU",
    "FuncTorchBatched", "FuncTorchBatchedDecomposition", "FuncTorchVmapMode", "NestedTensorCPU",
    "CompositeImplicitAutogradNestedTensor",
)  # fmt: skip


KERNELS: dict[str, list[tuple[str, str]]] = {}  # for each shortcut, (operator, dispatch key) of torch's kernels


def look_up_kernels(operators: dict[str, list[str]]) -> None:
    """Fills KERNELS, once, in the template. `operators`: for each shortcut, patterns of the operators behind it."""
    names = torch._C._dispatch_get_all_op_names()
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    for shortcut, patterns in operators.items():
        KERNELS[shortcut] = [
            (operator.removeprefix("aten::"), key)
            for pattern in patterns
            for operator in fnmatch.filter(names, pattern)
            for key in KEYS
            if has(operator, key)
        ]


def message_for(name: str) -> str:
    return f"{name} is not allowed here: write it yourself"


class Forbidden:
    """The names now forbidden; `allow_all` undoes every replacement."""

    def __init__(self):
        self.undo = []

    def forbid(self, names: list[str]) -> None:
        self.allow_all()
        kernels: dict[tuple[str, str], str] = {}
        for name in names:
            kernels |= dict.fromkeys(KERNELS.get(name.rpartition(".")[2].rstrip("*"), ()), name)
            if "." in name:
                self._replace(name)
            else:
                self._forbid_module(name)
        if kernels:
            self.forbid_operators(kernels)

    def allow_all(self) -> None:
        while self.undo:
            self.undo.pop()()

    def forbid_operators(self, kernels: dict[tuple[str, str], str]) -> None:
        """Replaces kernels, (operator, dispatch key) -> the forbidden name that they stand behind."""
        library = torch.library.Library("aten", "IMPL")
        self.undo.append(library._destroy)
        with warnings.catch_warnings():  # torch warns that kernels are replaced
            warnings.simplefilter("ignore")
            for (operator, key), name in kernels.items():
                library.impl(operator, _stand_in(name), key, allow_override=True)

    def _replace(self, name: str) -> None:
        owner_name, _, pattern = name.rpartition(".")
        owner = importlib.import_module(owner_name)
        for attribute in fnmatch.filter(dir(owner), pattern):
            original = getattr(owner, attribute)
            full_name = f"{owner_name}.{attribute}"
            if isinstance(original, type) and not original.__flags__ & IMMUTABLE_TYPE:
                for method in ("__init__", "forward"):
                    self._disable(original, method, vars(original).get(method), full_name)
            elif callable(original):
                self._disable(owner, attribute, original, full_name)

    def _disable(self, owner, attribute: str, original, name: str) -> None:
        if isinstance(original, types.FunctionType) and not original.__code__.co_freevars:
            code = original.__code__
            original.__code__ = _raising_code(name)
            self.undo.append(lambda: setattr(original, "__code__", code))
            return
        had = attribute in vars(owner)
        setattr(owner, attribute, _stand_in(name))
        self.undo.append(lambda: setattr(owner, attribute, original) if had else delattr(owner, attribute))

    def _forbid_module(self, name: str) -> None:
        before = sys.modules.get(name)
        sys.modules[name] = None  # makes `import name` raise ImportError

        def undo():
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before

        self.undo.append(undo)


def _raise(name):
    raise NotAllowed(message_for(name))


def _stand_in(name):
    return lambda *args, **kwargs: _raise(name)


def _raising_code(name: str) -> types.CodeType:
    """The body of a function without free variables that raises NotAllowed for `name`, whatever its globals are."""
    scope: dict = {}
    exec(f"def stand_in(*args, **kwargs):\n    import forbid\n    forbid._raise({name!r})", scope)
    return scope["stand_in"].__code__
