"""Explains a named mistake: what it is, how it looks in code, and the handout's section about it."""

import difflib

from autograder.course import Rung
from autograder.errors import UnusableInput
from autograder.grading import catalogue
from autograder.grading.catalogue import Mistake
from autograder.handout import section


def explain(name: str, rungs: list[Rung]) -> str:
    known = [(rung, mistake) for rung in rungs for mistake in catalogue.mistakes(rung)]
    found = [(rung, mistake) for rung, mistake in known if name in (mistake.slug, mistake.family)]
    if not found:
        close = difflib.get_close_matches(name, {m.name for _, m in known}, n=5)
        raise UnusableInput(
            f"No mistake is called {name!r}" + (f"; these are close: {', '.join(close)}" if close else "")
        )
    return "\n\n".join(_text(rung, mistake) for rung, mistake in found)


def _text(rung: Rung, mistake: Mistake) -> str:
    example = "\n".join(f"    {line}" for line in mistake.replace.strip("\n").splitlines())
    return "\n".join(
        [
            f"{mistake.slug}  (milestone {rung.number}: {rung.title})",
            "",
            f"Cause: {mistake.cause}",
            f"Hint:  {mistake.hint}",
            "",
            f"In {mistake.file} it may look like this:",
            "",
            example,
            "",
            f"{rung.anchor(mistake.anchor)} says:",
            "",
            section(rung.handout.read_text(), mistake.anchor),
        ]
    )
