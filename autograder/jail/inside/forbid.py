"""Library shortcuts that an item forbids, turned into a clear error while that item runs.

A name is replaced where students reach it; a class raises when it is built or called, so that an alias imported
earlier is caught too; the operators behind the well-known shortcuts are caught at torch's dispatcher, under any name.
"""

import fnmatch
import functools
import importlib
import sys

from faults import NotAllowed
from torch.utils._python_dispatch import TorchDispatchMode

OPERATORS = {
    "scaled_dot_product_attention": ("aten::_scaled_dot_product_*", "aten::scaled_dot_product_attention"),
    "MultiheadAttention": ("aten::_native_multi_head_attention",),
    "Transformer": ("aten::_transformer_encoder_layer_fwd",),
    "layer_norm": ("aten::native_layer_norm", "aten::layer_norm", "aten::_fused_rms_norm"),
    "LayerNorm": ("aten::native_layer_norm", "aten::layer_norm", "aten::_fused_rms_norm"),
}


class ForbiddenOperators(TorchDispatchMode):
    def __init__(self, patterns: dict[str, str]):
        super().__init__()
        self.patterns = patterns

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split(".")[0]
        for pattern, shortcut in self.patterns.items():
            if fnmatch.fnmatchcase(name, pattern):
                raise NotAllowed(message_for(shortcut))
        return func(*args, **(kwargs or {}))


def message_for(name: str) -> str:
    return f"{name} is not allowed here: write it yourself"


class Forbidden:
    """The names now forbidden; `allow_all` undoes every replacement."""

    def __init__(self):
        self.undo = []
        self.patterns: dict[str, str] = {}

    def forbid(self, names: list[str]) -> None:
        self.allow_all()
        for name in names:
            stem = name.rpartition(".")[2].rstrip("*")
            self.patterns |= {pattern: name for pattern in OPERATORS.get(stem, ())}
            if "." in name:
                self._replace(name)
            else:
                self._forbid_module(name)

    def allow_all(self) -> None:
        while self.undo:
            self.undo.pop()()
        self.patterns = {}

    def dispatch_mode(self):
        return ForbiddenOperators(self.patterns) if self.patterns else None

    def _replace(self, name: str) -> None:
        owner_name, _, pattern = name.rpartition(".")
        owner = importlib.import_module(owner_name)
        for attribute in fnmatch.filter(dir(owner), pattern):
            original = getattr(owner, attribute)
            stand_in = functools.partial(_raise, f"{owner_name}.{attribute}")
            if isinstance(original, type):
                for method in ("__init__", "forward"):
                    self._set(original, method, _as_method(stand_in))
            elif callable(original):
                self._set(owner, attribute, stand_in)

    def _set(self, owner, attribute, value) -> None:
        had = attribute in vars(owner)
        before = vars(owner).get(attribute)
        setattr(owner, attribute, value)
        self.undo.append(lambda: setattr(owner, attribute, before) if had else delattr(owner, attribute))

    def _forbid_module(self, name: str) -> None:
        before = sys.modules.get(name)
        sys.modules[name] = None  # makes `import name` raise ImportError

        def undo():
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before

        self.undo.append(undo)


def _raise(name, *args, **kwargs):
    raise NotAllowed(message_for(name))


def _as_method(stand_in):
    return lambda self, *args, **kwargs: stand_in()
