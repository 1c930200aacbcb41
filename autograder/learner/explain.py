"""Explains a named mistake: what it is, how it looks in code, and the handout's section about it."""

import difflib

from autograder.course import Milestone
from autograder.errors import UnusableInput
from autograder.mistakes import catalogue
from autograder.mistakes.catalogue import Mistake


def explain(name: str, milestones: list[Milestone]) -> str:
    known = [(milestone, mistake) for milestone in milestones for mistake in catalogue.mistakes(milestone)]
    found = [(milestone, mistake) for milestone, mistake in known if name in (mistake.slug, mistake.family)]
    if not found:
        close = difflib.get_close_matches(name, {m.name for _, m in known}, n=5)
        raise UnusableInput(f"no mistake is called {name!r}" + (f"; close: {', '.join(close)}" if close else ""))
    return "\n\n".join(_text(milestone, mistake) for milestone, mistake in found)


def _text(milestone: Milestone, mistake: Mistake) -> str:
    example = "\n".join(f"    {line}" for line in mistake.replace.strip("\n").splitlines())
    return "\n".join(
        [
            f"{mistake.slug}  (milestone {milestone.number}: {milestone.title})",
            "",
            f"Cause: {mistake.cause}",
            f"Hint:  {mistake.hint}",
            "",
            f"In {mistake.file} it may look like this:",
            "",
            example,
            "",
            f"{milestone.anchor(mistake.anchor)} says:",
            "",
            section(milestone.handout.read_text(), mistake.anchor),
        ]
    )


def anchor_of(heading: str) -> str:
    """The anchor that GitHub gives a Markdown heading line."""
    words = "".join(c for c in heading.lstrip("#").strip().lower() if c.isalnum() or c in " -_")
    return words.replace(" ", "-")


def headings(markdown: str) -> list[tuple[int, str]]:
    """(line number from 0, heading line) of each heading outside fenced code."""
    found = []
    fenced = False
    for number, line in enumerate(markdown.splitlines()):
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            found.append((number, line))
    return found


def section(markdown: str, anchor: str) -> str:
    """The text under the heading with this anchor, up to the next heading of the same or a higher level."""
    lines = markdown.splitlines()
    marks = headings(markdown)
    for index, (start, heading) in enumerate(marks):
        if anchor_of(heading) == anchor:
            level = len(heading) - len(heading.lstrip("#"))
            ends = [n for n, other in marks[index + 1 :] if len(other) - len(other.lstrip("#")) <= level]
            return "\n".join(lines[start : ends[0] if ends else len(lines)]).strip()
    return ""
