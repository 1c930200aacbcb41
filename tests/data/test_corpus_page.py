"""docs/corpus.md says what the code says."""

import re
from pathlib import Path

import pytest

from data import embedded
from data.embedded import entropy, grammar, lexicon
from data.embedded.reader import realised

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "corpus.md").read_text(encoding="utf-8")


def cells(first: str) -> list[str]:
    """The table row that begins with this cell."""
    row = re.search(rf"^\| {re.escape(first)} \|(.*)\|$", PAGE, re.MULTILINE)
    assert row, f"no row {first!r}"
    return [cell.strip(" *") for cell in row[1].split("|")]


def test_the_entropy_and_the_expectations():
    expected = entropy.expected_scene()
    assert cells("expected surprisal of a scene") == [f"{expected.nats:.3f} nats"]
    assert cells("expected length of a scene") == [f"{expected.characters:.3f} characters"]
    assert cells("**entropy**") == [f"{entropy.exact():.5f} nats per character"]
    estimate, error = cells("Monte Carlo, 20,000 other scenes")[0].split(" ± ")
    assert abs(float(estimate) - entropy.exact()) < 3 * float(error)


@pytest.mark.parametrize("number", [0, 1], ids=["train", "val"])
def test_the_floors(number):
    found = realised(embedded.splits()[number])
    assert cells(("train", "val")[number]) == [
        f"{found.characters:,}",
        str(found.scenes),
        f"{found.nats_per_character:.5f}",
    ]


def test_the_sample_is_the_beginning_of_the_corpus():
    sample = PAGE.split("```\n")[1]
    assert len(sample) > 300
    assert embedded.text().startswith(sample)


def test_the_numbers_in_the_derivation():
    assert "24 rhymes of 6 words, all equally likely" in PAGE
    assert (len(lexicon.RHYMES), len(lexicon.RHYMES[0]), len(grammar.RHYME_OF)) == (24, 6, 144)
    assert list(entropy.people_on_stage().values()) == pytest.approx([0.4, 0.4, 0.2])
