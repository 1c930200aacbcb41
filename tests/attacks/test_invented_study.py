"""A scaling study that was made up earns next to nothing, however well its rows fit each other."""

import pytest

from autograder.submission import of
from tests.attacks.catalogue.invented_study import ATTACKS
from tests.attacks.rungs import part
from tests.this_course import COURSE, reference

pytestmark = pytest.mark.long

STUDY = [item.id for item in COURSE.rung(8).items if item.id.startswith("study-")]
RUNG = part(8, STUDY)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_made_up_study_earns_no_more_than_its_promise(grade, name):
    attack = ATTACKS[name]
    files = reference()
    for file, code in attack.added.items():
        files[file] += code.encode()
    items = grade(of("made up", files)).rungs[0].items
    earned = sum(item.points for item in items)
    assert earned <= attack.at_most, [(item.id, item.points) for item in items if item.points]
