"""Each hostile submission gains nothing, reads nothing hidden, and changes no other result."""

import shutil

import pytest

from autograder.grading import seeds
from autograder.submission import of
from tests.attacks.catalogue import ATTACKS, CALLED, PLANTED, PREAMBLE
from tests.attacks.rungs import part
from tests.this_course import reference

ATTACKED = ("causal-average", "causal-mask")
WALKERS = (
    "reads graders from disk", "reads solutions from disk", "greps readable text for solution markers",
)  # fmt: skip
SECONDS = 3.0  # a hang costs this much per attacked item


RUNG = part(2, ATTACKED, seconds=SECONDS)


def hostile(code):
    return of("hostile", reference() | {"model/attention.py": (PREAMBLE + code + CALLED).encode()})


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gains_nothing_and_reads_nothing(grade, name):
    report = grade(hostile(ATTACKS[name]))
    items = {item.id: item for item in report.rungs[0].items}
    assert report.points == 0, [(item.id, item.status) for item in items.values() if item.points]
    assert all(items[attacked].status != "passed" for attacked in ATTACKED)
    assert "LEAK" not in " ".join(item.seen for item in items.values())


@pytest.mark.parametrize("name", WALKERS)
def test_an_attack_that_walks_the_disk_would_find_the_course(name, tmp_path):
    """Else it would show nothing that it finds nothing in the jail."""
    shutil.copytree(RUNG.folder, tmp_path / "milestones" / RUNG.name)
    space: dict = {}
    exec(PREAMBLE + ATTACKS[name].replace('os.walk("/")', f"os.walk({str(tmp_path)!r})"), space)
    with pytest.raises(RuntimeError, match="LEAK"):
        space["attack"](None)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_a_program(name):
    compile(PREAMBLE + ATTACKS[name] + CALLED, name, "exec")


def test_after_all_attacks_the_reference_still_gets_full_marks(grade):
    for name in (
        "leaves a note for the next submission",
        "patches torch's comparisons",
        "leaves a daemon behind",
        "waits for a friend at a socket",
        "keeps a note in System V shared memory",
    ):
        grade(hostile(ATTACKS[name]))
    report = grade(of("reference", reference()))
    lost = [(item.id, item.status, item.seen) for item in report.rungs[0].items if item.status != "passed"]
    assert lost == []


def test_planted_files_are_never_loaded_by_the_harness(grade):
    report = grade(of("planted", reference() | PLANTED))
    assert report.points == report.max_points


def test_another_submission_meets_other_inputs():
    secret = bytes(32)
    assert seeds.submission_seed(secret, "a" * 64) != seeds.submission_seed(secret, "b" * 64)
    assert seeds.submission_seed(secret, "a" * 64) != seeds.submission_seed(bytes([1]) * 32, "a" * 64)
