"""What does none of the work earns next to nothing, also at the items that it aims at."""

import pytest

from autograder.submission import of
from tests.attacks.catalogue.nothing_done import ATTACKS
from tests.attacks.rungs import part
from tests.this_course import grade, reference

pytestmark = pytest.mark.long

RUNGS = sorted({attack.rung for attack in ATTACKS.values()})


def hollow(attack):
    """The reference with the attack's places replaced, each of which must be there once."""
    text = reference()[attack.file].decode()
    for place, instead in attack.edits.items():
        assert text.count(place) == 1, (attack.file, place)
        text = text.replace(place, instead)
    return of("hollow", reference() | {attack.file: text.encode()})


@pytest.mark.parametrize("number", RUNGS)
def test_where_it_aims_it_earns_no_more_than_is_promised(number, jail):
    aimed = {name: attack for name, attack in ATTACKS.items() if attack.rung == number}
    rung = part(number, {item for attack in aimed.values() for item in attack.items})
    reports = grade([hollow(attack) for attack in aimed.values()], [rung], jail=jail, seed=5)
    for (name, attack), report in zip(aimed.items(), reports, strict=True):
        earned = {item.id: item.points for item in report.rungs[0].items if item.id in attack.items and item.points}
        assert sum(earned.values()) <= attack.most, (name, earned)


def test_the_reference_earns_all_of_it(jail):
    """Else the promises above would be kept by items that nobody passes."""
    for number in RUNGS:
        rung = part(number, {item for attack in ATTACKS.values() if attack.rung == number for item in attack.items})
        (report,) = grade([of("reference", reference())], [rung], jail=jail, seed=5)
        assert report.points == report.max_points, [item.seen for item in report.rungs[0].items if not item.points]
