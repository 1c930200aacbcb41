"""Reads a note in Markdown: numbers as people write them, the rows of its table, its sections of prose."""

import re

# 12, 1,024, 10 795 776, 6e-4, 6 x 10^-4, 10.8 million, 1.5k
NUMBER = re.compile(
    r"(?=[-−]?\.?\d)(?P<digits>[-−]?(?:\d{1,3}(?:[,_'\u00a0\u2009\u202f ]\d{3})+(?!\d)|\d+)?(?:(?<!\.)\.\d+)?)"
    r"(?P<power>[eE][-+−]?\d+|\s*[x×*·]\s*10\s*(?:\^|\*\*)\s*\{?[-+−]?\d+\}?)?"
    r"\s*(?P<unit>k|K|M|G|B|T|thousand|million|billion|trillion)?(?![A-Za-z])"
)
UNITS = {
    "k": 1e3, "K": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9, "B": 1e9, "billion": 1e9, "T": 1e12,
    "trillion": 1e12,
}  # fmt: skip
YES = {"yes", "true", "y", "✓"}
NO = {"no", "false", "never", "n", "✗"}
PLACEHOLDER = "your words"  # of the template's sections
FEWEST_WORDS = 5  # of prose in a section: enough to tell writing from a stray mark, and no judgement of it
CORRECT_TO = 0.01  # 10.8 million is a fair way to write 10,795,776
LONGEST_CELL = 200  # letters of a cell that are searched for numbers


def numbers(text: str) -> list[float]:
    """Every number in a cell, with its thousands separators, power of ten or unit."""
    found = []
    for match in NUMBER.finditer(text[:LONGEST_CELL]):
        digits = re.sub(r"[,_'\s]", "", match["digits"]).replace("−", "-")
        power = re.search(r"[-+−]?\d+\}?$", match["power"]) if match["power"] else None
        exponent = int(power[0].rstrip("}").replace("−", "-")) if power else 0
        # Beyond a float's range the exponent would be an error; no fact is that large.
        found.append(float(digits) * 10.0 ** max(-300, min(300, exponent)) * UNITS.get(match["unit"], 1.0))
    return found


def rows(text: str) -> dict[str, str]:
    """First cell -> second cell of every table row, the first in lower case and without marks."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip().startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) >= 2:
                found.setdefault(plain(cells[0]), cells[1])
    return found


def plain(text: str) -> str:
    """In lower case, without marks, each gap one space: what two spellings of a heading or a name share."""
    return re.sub(r"\s+", " ", re.sub(r"[`*_]", "", text)).strip().lower()


def sections(text: str) -> dict[str, str]:
    """Heading in lower case -> the text below it, up to the next heading."""
    found: dict[str, str] = {}
    heading = ""
    for line in text.splitlines():
        title = re.match(r"#+\s+(.*)", line)
        if title:
            heading = plain(title[1])
            found.setdefault(heading, "")
        elif heading:
            found[heading] += line + "\n"
    return found


def is_blank(cell: str) -> bool:
    """Whether a cell still holds nothing, or the template's question mark."""
    return not cell.strip("`* ?")


def agrees(cell: str, actual: bool | float | str) -> bool:
    """Whether a cell says what the code does: yes or no by its first word, a number by its first, a name anywhere."""
    if isinstance(actual, bool):
        word = re.match(r"\W*([\w✓✗]+)", cell.lower())
        return word is not None and word[1] in (YES if actual else NO)
    if isinstance(actual, (int, float)):
        return any(abs(number - actual) <= CORRECT_TO * abs(actual) for number in numbers(cell)[:1])
    return str(actual).lower() in cell.lower()


def is_written(text: str) -> bool:
    """Whether there is a sentence of prose besides the template's lines."""
    lines = [line.strip() for line in text.splitlines()]
    prose = [line for line in lines if line and not line.startswith(("|", "```")) and PLACEHOLDER not in line.lower()]
    return sum(len(line.split()) for line in prose) >= FEWEST_WORDS
