"""Mutants: the reference with one mechanical change each, such as an operator, a constant, an argument or a statement.

What a person's mistakes do not cover, these may. A mutant that no grader notices is classified by hand, in the rung's
survivors.toml: either nothing observable changes, or the contract leaves the choice open, or it is a hole to close.
"""

import hashlib
from collections.abc import Callable, Iterator

import libcst as cst
import msgspec
from libcst.metadata import MetadataWrapper, ParentNodeProvider

from autograder.check_course.subjects import Subject
from autograder.course import Mutants, Rung, Text
from autograder.errors import CourseError

PER_RUNG = 45
ENOUGH, MOST = 16, 160  # letters of code that a mutant's name shows

BINARY: dict[type, type] = {
    cst.Add: cst.Subtract, cst.Subtract: cst.Add, cst.Multiply: cst.Divide, cst.Divide: cst.Multiply,
    cst.FloorDivide: cst.Multiply, cst.Modulo: cst.FloorDivide, cst.Power: cst.Multiply,
}  # fmt: skip
COMPARISON: dict[type, type] = {
    cst.LessThan: cst.LessThanEqual, cst.LessThanEqual: cst.LessThan, cst.GreaterThan: cst.GreaterThanEqual,
    cst.GreaterThanEqual: cst.GreaterThan, cst.Equal: cst.NotEqual, cst.NotEqual: cst.Equal, cst.In: cst.NotIn,
    cst.NotIn: cst.In, cst.Is: cst.IsNot, cst.IsNot: cst.Is,
}  # fmt: skip
AUGMENTED: dict[type, type] = {
    cst.AddAssign: cst.SubtractAssign,
    cst.SubtractAssign: cst.AddAssign,
    cst.MultiplyAssign: cst.DivideAssign,
    cst.DivideAssign: cst.MultiplyAssign,
}
NAMES = {
    "True": "False", "False": "True", "max": "min", "min": "max", "any": "all", "all": "any", "sum": "mean",
    "mean": "sum", "floor": "ceil",
}  # fmt: skip


class Survivor(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Why a mutant that gets full marks may live. `verdict`: equivalent, or a choice that the contract leaves."""

    mutant: Text
    verdict: str
    why: Text


class _Survivors(msgspec.Struct, forbid_unknown_fields=True):
    survivor: list[Survivor] = []


def survivors(rung: Rung) -> dict[str, Survivor]:
    """The rung's classified mutants by name, from its hidden/survivors.toml."""
    path = rung.hidden / "survivors.toml"
    if not path.exists():
        return {}
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_Survivors).survivor
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: {error}") from None
    return {survivor.mutant: survivor for survivor in found}


def mutants(rung: Rung, reference: dict[str, bytes], rules: Mutants) -> list[Subject]:
    """The rung's share: a fixed choice among all mutants of its files, spread evenly by a hash of their names."""
    every = [
        (name, file, change)
        for file in rung.manifest.files
        if file.endswith(".py")
        for name, change in _changes(file, reference[file].decode(), rules)
    ]
    chosen = sorted(every, key=lambda mutant: hashlib.sha256(mutant[0].encode()).digest())[:PER_RUNG]
    return [
        Subject(rung.number, "mutant", name, reference | {file: change().encode()}) for name, file, change in chosen
    ]


def _changes(file: str, text: str, rules: Mutants) -> Iterator[tuple[str, Callable[[], str]]]:
    """(name, the changed code when called) of each mutant. A name has no line number, so that it outlives edits."""
    wrapper = MetadataWrapper(cst.parse_module(text))
    module, parents = wrapper.module, wrapper.resolve(ParentNodeProvider)
    seen: dict[str, int] = {}
    for node in _nodes(module):
        place = _place(node, parents, rules.skip)
        if place is None:
            continue
        for old, new in _replacements(node, NAMES | rules.swaps):
            around = _around(module, node, parents)
            name = f"{file} {place}: {_shown(module, around)} -> {_shown(module, _replaced(around, old, new))}"
            seen[name] = seen.get(name, 0) + 1
            yield name if seen[name] == 1 else f"{name} ({seen[name]})", _changed(module, old, new)


def _changed(module: cst.Module, old: cst.CSTNode, new: cst.CSTNode) -> Callable[[], str]:
    return lambda: module.code_for_node(cst.ensure_type(module.deep_replace(old, new), cst.Module))


def _around(module: cst.Module, node: cst.CSTNode, parents) -> cst.CSTNode:
    """The node with enough around it for a reader to find it."""
    while len(module.code_for_node(node)) < ENOUGH and not isinstance(parents[node], cst.BaseStatement):
        node = parents[node]
    return node


def _nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _place(node: cst.CSTNode, parents, skip: list[str]) -> str | None:
    """The function that holds the node, as Class.method.

    None outside functions, in a function to skip, and where a change cannot matter (annotations, imports, messages).
    """
    names: list[str] = []
    function = False
    while (parent := parents.get(node)) is not None:
        if isinstance(
            node, (cst.Annotation, cst.FormattedString, cst.Raise, cst.Decorator, cst.Import, cst.ImportFrom)
        ):
            return None
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            names.append(node.name.value)
            function |= isinstance(node, cst.FunctionDef)
        node = parent
    return ".".join(reversed(names)) if function and not set(skip) & set(names) else None


class _WithoutComments(cst.CSTTransformer):
    def leave_Comment(self, original_node: cst.Comment, updated_node: cst.Comment):  # type: ignore[override]
        return cst.RemoveFromParent()  # libcst allows it, its types do not


def _shown(module: cst.Module, node: cst.CSTNode) -> str:
    """The node's code on one line, without comments: a new comment must not make a new mutant."""
    bare = node.visit(_WithoutComments())
    assert isinstance(bare, cst.CSTNode)  # a comment is never a whole mutant
    text = " ".join(line.strip() for line in module.code_for_node(bare).splitlines() if line.strip())
    return f"`{text}`" if len(text) <= MOST else f"`{text[: MOST // 2]} … {text[-MOST // 2 :]}`"


def _replaced(node: cst.CSTNode, old: cst.CSTNode, new) -> cst.CSTNode:
    return new if node is old else node.deep_replace(old, new)


def _replacements(node: cst.CSTNode, names: dict[str, str]) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """(part of the node, what to put there) for every change that begins at this node."""
    if isinstance(node, cst.BinaryOperation) and type(node.operator) in BINARY:
        yield node, node.with_changes(operator=BINARY[type(node.operator)]())
    elif isinstance(node, cst.Comparison):
        for target in node.comparisons:
            if type(target.operator) in COMPARISON:
                yield target.operator, COMPARISON[type(target.operator)]()
    elif isinstance(node, cst.BooleanOperation):
        yield node, node.with_changes(operator=cst.Or() if isinstance(node.operator, cst.And) else cst.And())
    elif isinstance(node, cst.UnaryOperation):
        yield node, node.expression
    elif isinstance(node, cst.Integer):
        yield node, cst.Integer(str(int(node.value, 0) + 1))
        if int(node.value, 0) > 0:
            yield node, cst.Integer(str(int(node.value, 0) - 1))
    elif isinstance(node, cst.Float):
        yield node, cst.Float(repr(2 * float(node.value) if float(node.value) else 1.0))
    elif isinstance(node, cst.Name) and node.value in names:
        yield node, cst.Name(names[node.value])
    elif isinstance(node, cst.AugAssign) and type(node.operator) in AUGMENTED:
        yield node, node.with_changes(operator=AUGMENTED[type(node.operator)]())
    elif isinstance(node, cst.IfExp):
        yield node, node.body
        yield node, node.orelse
    elif isinstance(node, cst.If):
        yield node.test, cst.Name("True")
        yield node.test, cst.Name("False")
    elif isinstance(node, cst.Call):
        yield from _arguments(node)
    elif isinstance(node, cst.SimpleStatementLine):
        yield from _statement(node)


def _arguments(call: cst.Call) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    plain = [arg for arg in call.args if arg.keyword is None and not arg.star]
    if len(plain) >= 2:
        first, second = plain[:2]
        swapped = [
            {id(first): first.with_changes(value=second.value), id(second): second.with_changes(value=first.value)}.get(
                id(arg), arg
            )
            for arg in call.args
        ]
        yield call, call.with_changes(args=swapped)
    for arg in call.args:
        if arg.keyword is not None:
            yield call, call.with_changes(args=[other for other in call.args if other is not arg])


def _statement(line: cst.SimpleStatementLine) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    (first, *_) = line.body
    text = isinstance(first, cst.Expr) and isinstance(first.value, (cst.SimpleString, cst.ConcatenatedString))
    if isinstance(first, (cst.Expr, cst.Assign, cst.AugAssign)) and not text:
        yield line, line.with_changes(body=[cst.Pass()])
