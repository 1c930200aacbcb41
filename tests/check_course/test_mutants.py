"""Mutants are one small change each, always the same ones, and say what they changed."""

import ast
import difflib

import pytest

from autograder.check_course.mutants import PER_RUNG, mutants, survivors
from autograder.course import Rung
from tests.this_course import COURSE, reference

RUNGS = COURSE.rungs()


def made_for(rung: Rung) -> list:
    return mutants(rung, reference(), COURSE.config.mutants)


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_each_mutant_is_the_reference_with_one_place_changed(rung):
    made = made_for(rung)
    assert len(made) == len({mutant.name for mutant in made}) == PER_RUNG
    for mutant in made:
        ((file, text),) = [(name, text) for name, text in mutant.files.items() if text != reference()[name]]
        ast.parse(text)
        before, after = reference()[file].decode().splitlines(), text.decode().splitlines()
        blocks = [block for block in difflib.SequenceMatcher(None, before, after).get_opcodes() if block[0] != "equal"]
        assert 1 <= len(blocks) <= 2, mutant.name  # two where a deleted statement spans lines that read alike
        assert mutant.name.startswith(file)


def test_every_verdict_on_a_survivor_belongs_to_a_mutant_that_exists():
    for rung in RUNGS:
        assert survivors(rung).keys() <= {mutant.name for mutant in made_for(rung)}
