"""Checks the symbolic shape table in the student's notes/architecture.md, symbol by symbol.

A row reads `| scores | (B, H, T, T) | … |`. The usual spellings of one symbol count as that symbol.
"""

import re

SPELLINGS = {
    "n_embd": "C", "d_model": "C", "H*D": "C", "D*H": "C", "n_head": "H", "n_heads": "H", "head_size": "D",
    "C/H": "D", "C//H": "D", "batch": "B", "batch_size": "B", "time": "T", "vocab_size": "V", "4*C": "4C", "4·C": "4C",
    "4×C": "4C", "3*C": "3C", "3·C": "3C", "3×C": "3C",
}  # fmt: skip


def check(expect, text: bytes | str, rows: dict[str, str]) -> None:
    """Every name in `rows` has its row in `text`, with the same symbols in the same order."""
    written = parse(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    for name, shape in rows.items():
        seen = written.get(name.lower())
        rule = "The shape table in notes/architecture.md must give the shape that the code computes, in symbols."
        missing = f"notes/architecture.md has no row for `{name}`."
        expect.true(f"row {name}", seen is not None, rule=rule, saw=missing, record=False)
        if seen is not None:
            saw = f"The table gives {_show(seen)} for `{name}`, which is not what the code computes."
            if not seen or seen == ["?"]:
                saw = f"The shape of `{name}` is still to be filled in."
            expect.true(f"shape of {name}", seen == symbols(shape), rule=rule, saw=saw, evidence=seen)


def parse(text: str) -> dict[str, list[str]]:
    """Row name -> symbols, for every table row whose first cell is a name and whose second is a shape or `?`."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip().strip("`*") for cell in line.strip().strip("|").split("|")]
        if line.strip().startswith("|") and len(cells) >= 2 and re.fullmatch(r"[\w. ]+", cells[0]):
            found.setdefault(cells[0].strip().lower(), symbols(cells[1]))
    return found


def symbols(shape: str) -> list[str]:
    parts = re.split(r",|\s[x×]\s", shape.strip().strip("()[]$"))
    bare = (re.sub(r"\s+", "", part) for part in parts)
    return [SPELLINGS.get(part, part) for part in bare if part]


def _show(parts: list[str]) -> str:
    return f"({', '.join(parts)})"
