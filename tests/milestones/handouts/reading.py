"""Reads the worked numbers and the sibling code out of a handout."""

import re
from pathlib import Path

MILESTONES = Path(__file__).resolve().parents[3] / "milestones"


class Handout:
    def __init__(self, folder: str):
        self.text = (MILESTONES / folder / "handout.md").read_text(encoding="utf-8")

    def section(self, heading: str) -> str:
        """The text under `## heading`, up to the next one."""
        return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", self.text, re.MULTILINE | re.DOTALL)[1]

    def tables(self, heading: str) -> list[list[list[str]]]:
        """Every table of a section: its rows below the header, as cells."""
        found = re.findall(r"(?:^\|.*\n)+", self.section(heading), re.MULTILINE)
        return [[[c.strip() for c in row.strip("|").split("|")] for row in t.splitlines()[2:]] for t in found]

    def code(self, heading: str) -> dict:
        """The names that the section's Python blocks define."""
        space: dict = {}
        for block in re.findall(r"^```python\n(.*?)^```", self.section(heading), re.MULTILINE | re.DOTALL):
            exec(block, space)
        return space

    def number(self, heading: str, pattern: str) -> float:
        """The number where `pattern` has `#`, in the section's text with line breaks as blanks."""
        before, after = pattern.split("#")
        text = re.sub(r"\s+", " ", self.section(heading))
        return float(re.search(re.escape(before) + r"(-?[\d.]*\d(?:e-?\d+)?)" + re.escape(after), text)[1])


def under(text: str, heading: str) -> str:
    """The text under a heading of any level, up to the next heading of any level outside a fence."""
    body = re.split(rf"^#+ {heading}\n", text, flags=re.MULTILINE)[1]
    kept, fenced = [], False
    for line in body.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            break
        kept.append(line)
    return "\n".join(kept)


def printed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"
