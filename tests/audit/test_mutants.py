"""Mutants are one small change each, always the same ones, and say what they changed."""

import ast
import difflib

import pytest

from autograder import course
from autograder.audit.mutants import PER_RUNG, mutants, survivors
from autograder.audit.subjects import reference

RUNGS = course.milestones()


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_each_mutant_is_the_reference_with_one_place_changed(rung):
    made = mutants(rung)
    assert len(made) == len({one.name for one in made}) == PER_RUNG
    for one in made:
        ((file, text),) = [(name, text) for name, text in one.files.items() if text != reference()[name]]
        ast.parse(text)
        before, after = reference()[file].decode().splitlines(), text.decode().splitlines()
        blocks = [block for block in difflib.SequenceMatcher(None, before, after).get_opcodes() if block[0] != "equal"]
        assert 1 <= len(blocks) <= 2, one.name  # two where a deleted statement spans lines that read alike
        assert one.name.startswith(file)


def test_every_verdict_on_a_survivor_belongs_to_a_mutant_that_exists():
    known = {(rung.number, one.name) for rung in RUNGS for one in mutants(rung)}
    assert [one for one in survivors() if one not in known] == []
