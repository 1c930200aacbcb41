"""Finds the headings and sections of a handout, which is Markdown, by the anchors that GitHub gives them."""


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
