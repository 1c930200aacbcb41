"""Writes plays with random numbers of our own: the same on every machine, in every version of Python."""

from __future__ import annotations

from data.embedded.grammar import Table, scene

MASK = (1 << 64) - 1


class SplitMix64:
    """64-bit random integers from a counter (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators", figure 17).

    Only integer arithmetic, so no rounding and no dependence on Python's `random`, whose methods may change.
    """

    def __init__(self, seed: int):
        self.state = seed & MASK

    def next(self) -> int:
        """An integer from 0 to 2**64 - 1, all equally likely."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """An integer from 0 to n - 1, all *exactly* equally likely: what does not divide evenly is thrown away."""
        limit = MASK + 1 - (MASK + 1) % n
        while (number := self.next()) >= limit:
            pass
        return number % n


class Writer:
    """Draws each choice and keeps the text."""

    def __init__(self, seed: int):
        self.random = SplitMix64(seed)
        self.pieces: list[str] = []

    def write(self, text: str) -> None:
        self.pieces.append(text)

    def choose(self, table: Table) -> str:
        string = table.at(self.random.below(table.total))
        self.pieces.append(string)
        return string


def generate(seed: int, scenes: int) -> str:
    """`scenes` scenes, one after the other. Fewer scenes with the same seed are a beginning of more."""
    writer = Writer(seed)
    for _ in range(scenes):
        scene(writer)
    return "".join(writer.pieces)
