"""A submission's words in a report: spelled out, one line each where they stood in one, and nobody's verdict."""

import pytest

from autograder import report as reports
from autograder.submission import of
from tests.attacks.catalogue import PREAMBLE, messages
from tests.attacks.rungs import part
from tests.attacks.test_one_item import CALLED, SECONDS
from tests.this_course import reference

pytestmark = pytest.mark.long

RUNG = part(2, ("causal-mask",), seconds=SECONDS)


def hostile(code):
    return of("hostile", reference() | {"model/attention.py": (PREAMBLE + code + CALLED).encode("utf-8", "replace")})


def unprintable(text: str) -> list[str]:
    return sorted({ascii(letter) for letter in text if not letter.isprintable() and letter != "\n"})


@pytest.mark.parametrize("place", messages.PLACES)
@pytest.mark.parametrize("words", messages.WORDS)
def test_words_stay_words(grade, words, place):
    report = grade(hostile(messages.ATTACKS[f"puts {words} into {place}"]))
    [item] = report.rungs[0].items
    text = reports.text(report)
    assert (report.points, item.status == "passed") == (0, False)
    assert unprintable(text) == []
    assert text.splitlines()[-1].startswith("0/7 points, 0/1 items."), text
    assert not any(line.startswith("100/100 points") for line in text.splitlines())
    text.encode()
    assert len(text) < 20_000


def test_right_code_that_prints_escapes_is_right_code(grade):
    code = reference()["model/attention.py"].decode()
    for words in messages.WORDS.values():
        printed = f"\nprint({words!r}.encode('utf-8', 'replace').decode(), flush=True)\n"
        report = grade(of("prints", reference() | {"model/attention.py": (code + printed).encode()}))
        assert report.points == report.max_points
        assert unprintable(reports.text(report)) == []
