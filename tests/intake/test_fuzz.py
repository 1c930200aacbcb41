"""Whatever is handed in, the gate answers within its limits with a valid submission, and touches nothing else."""

import pytest

from autograder.intake import Reader
from tests.fuzz import intake


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_hand_in_is_too_strange(seed):
    assert intake.examples(seed, 60) >= 60


def test_the_fuzzer_finds_what_is_wrong(monkeypatch):
    """Else the test above would show nothing."""
    read = Reader.read

    def careless(self, path):
        taken = read(self, path)
        return taken if not taken.findings else None

    monkeypatch.setattr(Reader, "read", careless)
    with pytest.raises(AssertionError, match=r"examples\(7, 60\)"):
        intake.examples(7, 60)
