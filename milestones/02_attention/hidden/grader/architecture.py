"""Judges the rows of notes/architecture.md that are due on this rung."""

from milestones.hidden import shape_table

PATH = "notes/architecture.md"
ROWS = {
    "q": "(B, H, T, D)",
    "k": "(B, H, T, D)",
    "v": "(B, H, T, D)",
    "scores": "(B, H, T, T)",
    "weights": "(B, H, T, T)",
    "heads": "(B, H, T, D)",
    "merged": "(B, T, C)",
    "out": "(B, T, C)",
}


def test_shape_table(student, draw, expect):
    """notes/architecture.md gives the shape of each tensor of the attention layer in symbols."""
    expect.need(
        f"{PATH} is there",
        PATH in student.files.list(),
        rule=f"The workspace must have {PATH}.",
        saw=f"The workspace has no {PATH}.",
    )
    shape_table.check(expect, student.files.get(PATH), ROWS)
