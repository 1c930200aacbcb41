"""Hostile submissions that one cheap item can answer: no point, nothing read, bounded time and memory, clean words.

The promises of test_attacks.py, for many more attacks; each is called in place of `causal_mask` alone.
"""

import time

import msgspec
import pytest

from autograder import report as reports
from autograder.submission import of
from tests.attacks import memory
from tests.attacks.catalogue import ON_ONE_ITEM, PREAMBLE
from tests.attacks.rungs import part
from tests.this_course import reference

pytestmark = pytest.mark.long

SECONDS = 1.0
LONGEST = 12.0  # the item, its diagnosis, the patience with checking, the ends of two workers, a busy machine
RUNG = part(2, ("causal-mask",), seconds=SECONDS)
CALLED = "\ndef causal_mask(T, device=None): return attack(T)\n"


def hostile(code):
    return of("hostile", reference() | {"model/attention.py": (PREAMBLE + code + CALLED).encode("utf-8", "replace")})


@pytest.fixture(scope="module")
def honest(grade):
    """What the submission without an attack earns. It also warms up the grader."""
    return grade(of("reference", reference()))


@pytest.mark.parametrize("name", ON_ONE_ITEM)
def test_an_attack_gains_nothing_reads_nothing_and_ends(grade, honest, name):
    size, start = memory.forget_peak(), time.monotonic()
    report = grade(hostile(ON_ONE_ITEM[name]))
    assert time.monotonic() - start < LONGEST
    assert memory.peak() - size < memory.MOST
    [item] = report.rungs[0].items
    assert (report.points, item.status == "passed") == (0, False)
    assert "LEAK" not in item.seen
    assert honest.points == honest.max_points


@pytest.mark.parametrize("name", ON_ONE_ITEM)
def test_an_attack_is_a_program(name):
    compile(PREAMBLE + ON_ONE_ITEM[name] + CALLED, name, "exec")


def test_after_all_that_the_reference_still_gets_full_marks(grade):
    report = grade(of("reference", reference()))
    assert report.points == report.max_points, report.rungs[0].items[0].seen


def test_a_report_of_an_attack_can_be_written_and_read(grade, tmp_path):
    for name in list(ON_ONE_ITEM)[::25]:
        report = grade(hostile(ON_ONE_ITEM[name]))
        reports.write(report, tmp_path / "report.json")
        assert msgspec.to_builtins(reports.read(tmp_path / "report.json")) == msgspec.to_builtins(report)
