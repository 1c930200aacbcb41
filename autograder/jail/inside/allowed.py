"""The course's list of what student code may call of torch, as tables that answer fast."""

import fnmatch
import importlib
import types
from collections.abc import Iterator

import torch

CodeOrBuiltin = types.CodeType | types.BuiltinFunctionType


class Allowed:
    """`listed`: allowed (place -> names), modules, passes_on, outside; see the course's list. Made in the template."""

    def __init__(self, listed: dict):
        self.places: dict[str, list[str]] = listed.get("allowed", {})
        self.modules: list[str] = listed.get("modules", [])
        self.pieces: dict[str, list[CodeOrBuiltin]] = {}  # public name -> what runs when it is called
        self.names: dict[int | CodeOrBuiltin, set[str]] = {}  # the id of code, or a builtin -> its public names
        self.classes: dict[type, str] = {}
        for place, names in self.places.items():
            owner = object_of(place)
            for name in names:
                self._add(f"{place}.{name}", getattr(owner, name))
        self.passing_on = [piece for name in listed.get("passes_on", ()) for piece in pieces(object_of(name))]
        self.passing = {id(code) for code in self.passing_on}
        self.outside = {key_of(piece): name for name in listed.get("outside", ()) for piece in pieces(object_of(name))}

    def _add(self, name: str, thing) -> None:
        self.pieces[name] = list(pieces(thing))
        for piece in self.pieces[name]:
            self.names.setdefault(key_of(piece), set()).add(name)
        if isinstance(thing, type):
            self.classes[thing] = name

    def names_like(self, patterns: tuple[str, ...]) -> set[str]:
        """The listed names that fit one of the patterns, such as torch.nn.*Norm*."""
        found = set()
        for pattern in patterns:
            place, _, last = pattern.rpartition(".")
            found |= {f"{place}.{name}" for name in fnmatch.filter(self.places.get(place, ()), last)}
        return found

    def whole_module(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.modules)


class Table:
    """What may be called once the names that fit `patterns` are off the list."""

    def __init__(self, allowed: Allowed, patterns: tuple[str, ...]):
        off = allowed.names_like(patterns)
        self.refused = dict(allowed.outside)  # the id of code, or a builtin -> a public name that is off the list
        for name in off:
            for piece in allowed.pieces[name]:
                # methods that a class shares with allowed ones stay allowed
                if isinstance(piece, types.BuiltinFunctionType) or allowed.names[id(piece)] <= off:
                    self.refused[key_of(piece)] = name
        self.listed = allowed.names
        self.free = ({key for key in allowed.names if isinstance(key, int)} | allowed.passing) - self.refused.keys()
        self.classes = {kind for kind, name in allowed.classes.items() if name not in off}
        self.tensor_methods = set(allowed.places.get("torch.Tensor", ()))
        self._builtins: dict[types.BuiltinFunctionType, bool] = {}
        self._kinds: dict[type, bool] = {}

    def may_call(self, function: types.BuiltinFunctionType) -> bool:
        """Whether the student's code may call this builtin function, or method of some object."""
        owner = function.__self__
        kind = type(owner)
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            return function.__name__ in self.tensor_methods
        if owner is None or kind is types.ModuleType or kind.__module__ == "pybind11_builtins":
            known = self._builtins.get(function)
            if known is None:
                known = self._builtins[function] = self._may_call(function)
            return known
        if isinstance(owner, type):
            kind = owner
        if issubclass(kind, torch.Tensor):
            return function.__name__ in self.tensor_methods
        known = self._kinds.get(kind)
        if known is None:
            theirs = [base for base in kind.__mro__ if of_torch(base)]
            known = self._kinds[kind] = not theirs or any(base in self.classes for base in theirs)
        return known

    def _may_call(self, function) -> bool:
        return function not in self.refused and (function in self.listed or not of_torch(function))

    def name_of_builtin(self, function) -> str:
        if function in self.refused:
            return self.refused[function]
        owner = function.__self__
        if function.__module__ or owner is None:
            return f"{function.__module__}.{function.__name__}"
        kind = owner if isinstance(owner, (type, types.ModuleType)) else type(owner)
        return f"{kind.__name__}.{function.__name__}"

    def name_of(self, code: types.CodeType, site: str) -> str:
        return self.refused.get(id(code)) or f"{module_of(code, site)}.{code.co_qualname}"


def key_of(piece: CodeOrBuiltin):
    """Code by its id: equal code is not the same code."""
    return id(piece) if isinstance(piece, types.CodeType) else piece


def object_of(name: str):
    """What a dotted name stands for, such as torch.nn.Module.apply."""
    parts = name.split(".")
    found, rest = importlib.import_module(parts[0]), parts[1:]
    for depth, part in enumerate(rest, 2):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:depth]))
        found = getattr(found, part)
    return found


def module_of(code: types.CodeType, site: str) -> str:
    """torch.nn.functional for code of SITE/torch/nn/functional.py."""
    return code.co_filename.removeprefix(site).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def of_torch(thing) -> bool:
    """Whether a class or builtin is torch's, by its module's name or that of the module that holds it."""
    named = thing.__module__ or getattr(getattr(thing, "__self__", None), "__name__", "")
    return str(named).partition(".")[0] in ("torch", "torchgen", "functorch")


def pieces(thing) -> Iterator[CodeOrBuiltin]:
    """The code objects and builtins that run when `thing` is called; of a class, those of all its methods."""
    if isinstance(thing, type):
        for kind in (*thing.__mro__, *type(thing).__mro__):
            for member in vars(kind).values() if of_torch(kind) else ():
                if not isinstance(member, type):
                    yield from pieces(member)
    elif isinstance(thing, property):
        for method in (thing.fget, thing.fset):
            yield from pieces(method)
    elif isinstance(thing, (classmethod, staticmethod, types.MethodType)):
        yield from pieces(thing.__func__)
    elif isinstance(thing, types.FunctionType):
        yield from codes_within(thing.__code__)
        yield from pieces(getattr(thing, "__wrapped__", None))
    elif isinstance(thing, types.BuiltinFunctionType):
        yield thing


def codes_within(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_within(constant)
