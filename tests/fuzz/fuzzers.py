"""Finds the fuzzers: the modules beside this one that define `run`."""

import re
from pathlib import Path


def fuzzers() -> list[str]:
    """Their names, sorted."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if re.search(r"^def run\(", path.read_text(), re.MULTILINE))
