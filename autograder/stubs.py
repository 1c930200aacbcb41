"""Makes the stub that ships from the solution that does not: the only source of both is `solutions/`."""

import ast
import re

from autograder.errors import CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's own markers
PLACEHOLDER = "# YOUR CODE HERE"


def stub(solution: str) -> str:
    """The solution with each marked block replaced by an error that says what to write.

    A block outside all functions (a helper of the solution's own) is left out. Raises CourseError for unbalanced marks.
    """
    lines = solution.splitlines()
    functions = _functions(solution)
    out: list[str] = []
    inside = False
    for number, line in enumerate(lines, start=1):
        if line.strip() == BEGIN:
            if inside:
                raise CourseError(f"line {number}: a second {BEGIN} before {END}")
            inside = True
            indent = re.match(r"\s*", line)[0]  # type: ignore[index]
            name = _name(functions, number)
            if name is not None:  # whole helper functions, outside any other, are left out without a word
                out += [indent + PLACEHOLDER, f'{indent}raise NotImplementedError("{name}")']
        elif line.strip() == END:
            if not inside:
                raise CourseError(f"line {number}: {END} without {BEGIN}")
            inside = False
        elif not inside:
            out.append(line)
    if inside:
        raise CourseError(f"{BEGIN} without {END}")
    text = "\n".join(out) + "\n"
    compile(text, "stub", "exec")
    return text


def _functions(source: str) -> list[tuple[int, int, str]]:
    """(first line, last line, qualified name with parentheses) of every function, outer ones first."""
    found: list[tuple[int, int, str]] = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    found.append((child.lineno, child.end_lineno or child.lineno, f"write {name}()"))
                visit(child, f"{name}.")

    visit(ast.parse(source), "")
    return found


def _name(functions, line: int) -> str | None:
    """What to write there: the innermost function around the line."""
    around = [name for first, last, name in functions if first <= line <= last]
    return around[-1] if around else None
