"""What an instrument has recorded can't be rewritten: a mistake with a trick earns what the mistake earns, nothing."""

import pytest

from autograder.grading.grader import open_grader
from autograder.submission import of
from tests.attacks import memory
from tests.attacks.catalogue import aims, lying_modules, records
from tests.attacks.rungs import part
from tests.this_course import COURSE, reference

pytestmark = pytest.mark.long

SECONDS, LONGEST = 3.0, 12.0  # of an item that is lied to; with the patience for checking, on a busy machine
RUNGS = sorted({aim.rung for aim in [*records.ATTACKS.values(), *lying_modules.ATTACKS.values()]})


@pytest.fixture(scope="module")
def measure(jail):
    """measure(aim, code, **changes) -> how the aim's item, changed, ended for the reference with code behind a file."""
    with open_grader(COURSE, [COURSE.rung(number) for number in RUNGS], jail=jail, naming=False) as grader:

        def measure(aim, code, **changes):
            files = reference()
            files[aim.file] += b"\n\n" + code.encode()
            rung = part(aim.rung, (aim.item,), **changes)
            [outcome] = grader.measure(rung, of("aimed", files), 5, evidence=False).items
            return outcome

        yield measure


@pytest.mark.parametrize("name", aims.MISTAKES)
def test_the_mistake_alone_earns_nothing(measure, name):
    """Else it would show nothing that the same mistake with a trick earns nothing."""
    aim = aims.MISTAKES[name]
    assert measure(aim, aim.code).status == "failed"


@pytest.mark.parametrize("aim", {(a.rung, a.item): a for a in records.ATTACKS.values()}.values(), ids=lambda a: a.item)
def test_right_code_passes(measure, aim):
    outcome = measure(aim, "")
    assert outcome.status == "passed", outcome.seen


@pytest.mark.parametrize("name", records.ATTACKS)
def test_a_trick_with_the_records_earns_nothing(measure, name):
    aim = records.ATTACKS[name]
    outcome = measure(aim, aim.code)
    assert (outcome.status == "passed", outcome.points) == (False, 0)


@pytest.mark.parametrize("name", lying_modules.ATTACKS)
def test_a_module_that_lies_about_itself_earns_nothing(measure, name):
    aim = lying_modules.ATTACKS[name]
    size = memory.forget_peak()
    outcome = measure(aim, aim.code, seconds=SECONDS)
    assert (outcome.status == "passed", outcome.points) == (False, 0)
    assert outcome.seconds < LONGEST
    assert memory.peak() - size < memory.MOST
