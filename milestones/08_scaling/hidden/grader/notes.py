"""Judges the design notes: every fact in a note's table against the submission's own code, and that there is prose.

What contradicts the code is named, all of it at once. Whether the prose is any good is for a person to say.
"""

from .note_facts import FACTS, SECTIONS
from .note_reading import agrees, is_blank, is_written, plain, rows, sections
from .returned_values import shown

MOST_BYTES = 200_000  # of a note; nobody writes more


def test_notes_tokenizer(student, draw, expect):
    """notes/tokenizer.md: no fact is contradicted by the tokenizers."""
    expect_note(student, expect, "tokenizer")


def test_notes_training(student, draw, expect):
    """notes/training.md: no fact is contradicted by the training code."""
    expect_note(student, expect, "training")


def test_notes_limitations(student, draw, expect):
    """notes/limitations.md: no fact is contradicted by the model."""
    expect_note(student, expect, "limitations")


def expect_note(student, expect, note):
    path = f"notes/{note}.md"
    there = path in student.files.list()
    expect.need(f"{path} is there", there, rule=f"There must be a file {path}.", saw=f"{path} is missing.")
    content = student.files.get(path)
    text = content[:MOST_BYTES].decode("utf-8", "replace") if isinstance(content, bytes) else ""
    expect_facts(student, expect, path, FACTS[note], rows(text))
    expect_sections(expect, path, SECTIONS[note], sections(text))


def expect_facts(student, expect, path, facts, written):
    """Every fact has its row, and none that is filled in contradicts the code."""
    cells = {fact: written.get(plain(fact.name)) for fact in facts}
    missing = [fact.name for fact, cell in cells.items() if cell is None]
    expect.true(
        "every fact has its row",
        not missing,
        rule=f"The table of {path} must have a row for each fact, named as in the template.",
        saw=f"{path} has no row for: {'; '.join(missing)}.",
        evidence=missing,
    )
    blank = [fact.name for fact, cell in cells.items() if cell is not None and is_blank(cell)]
    expect.true(
        "every fact is filled in",
        not blank,
        rule=f"Each row in the table of {path} must have a value.",
        saw=f"{path} leaves to be filled in: {'; '.join(blank)}.",
        evidence=blank,
    )
    wrong, told = [], []
    for fact, cell in cells.items():
        actual = None if cell is None or is_blank(cell) else fact.answer(student)
        if actual is not None and not agrees(cell, actual):
            wrong.append(fact.name)
            told.append(f"'{fact.name}' is {shown(cell)}, but {fact.source} says {shown(actual)}")
    expect.true(
        "no fact is contradicted by the code",
        not wrong,
        rule=f"The facts in {path} must be what your code says, with numbers to a hundredth.",
        saw=f"{path} and your code disagree: {'; '.join(told)}.",
        evidence=wrong,
    )


def expect_sections(expect, path, names, found):
    """Somebody wrote something under each heading."""
    empty = [name for name in names if not is_written(found.get(plain(name), ""))]
    expect.true(
        "every section is written",
        not empty,
        rule=f"Each section of {path} must hold a sentence of your own. The grader only checks that it is there.",
        saw=f"{path} has no sentence of yours under: {'; '.join(empty)}.",
        evidence=empty,
    )
