"""Each hostile submission gains nothing, reads nothing hidden, and changes no other result."""

import msgspec
import pytest

from autograder import course, seeds
from autograder.audit.subjects import reference
from autograder.grading import with_grader
from autograder.submission import of
from tests.attacks.catalogue import ATTACKS, CALLED, PLANTED, PREAMBLE

ATTACKED = ("causal-average", "causal-mask")
SECONDS = 3.0  # a hang costs this much per attacked item


def attacked_rung():
    """Rung 2 with the two attacked items alone, and little patience."""
    rung = course.find(2)
    items = [msgspec.structs.replace(item, seconds=SECONDS) for item in rung.items if item.id in ATTACKED]
    return msgspec.structs.replace(rung, manifest=msgspec.structs.replace(rung.manifest, items=items))


RUNG = attacked_rung()


def hostile(code):
    return of("hostile", reference() | {"model/attention.py": (PREAMBLE + code + CALLED).encode()})


@pytest.fixture(scope="module")
def grade(jail):
    """grade(submission) -> its report, all in one grading process, as in a class."""
    import threading
    from queue import Queue

    asked, answered = Queue(), Queue()

    def job(grader):
        while (submission := asked.get()) is not None:
            answered.put(grader.grade(submission, 5))

    thread = threading.Thread(target=with_grader, args=([RUNG], jail, job))
    thread.start()

    def grade(submission):
        asked.put(submission)
        return answered.get(timeout=120)

    yield grade
    asked.put(None)
    thread.join()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gains_nothing_and_reads_nothing(grade, name):
    report = grade(hostile(ATTACKS[name]))
    items = {item.id: item for item in report.milestones[0].items}
    assert report.points == 0, [(item.id, item.status) for item in items.values() if item.points]
    assert all(items[attacked].status != "passed" for attacked in ATTACKED)
    assert "LEAK" not in " ".join(item.message for item in items.values())


def test_after_all_attacks_the_reference_still_gets_full_marks(grade):
    for name in ("leaves a note for the next submission", "patches torch's comparisons", "leaves a daemon behind"):
        grade(hostile(ATTACKS[name]))
    report = grade(of("reference", reference()))
    assert report.points == report.max_points


def test_planted_files_are_never_loaded_by_the_harness(grade):
    report = grade(of("planted", reference() | PLANTED))
    assert report.points == report.max_points


def test_there_are_at_least_sixty_attacks():
    assert len(ATTACKS) + len(PLANTED) >= 60


def test_another_submission_meets_other_inputs():
    secret = bytes(32)
    assert seeds.submission_seed(secret, "a" * 64) != seeds.submission_seed(secret, "b" * 64)
    assert seeds.submission_seed(secret, "a" * 64) != seeds.submission_seed(bytes([1]) * 32, "a" * 64)
