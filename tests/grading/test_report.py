"""A verdict's parts are told apart, each true to its name, and a terminal of 80 columns shows them whole."""

import pytest

from autograder import report
from autograder.grading import catalogue
from autograder.submission import of
from tests.this_course import COURSE, grade, reference

RUNG = COURSE.rung(2)
WIDTH = 80


def made(mistake):
    return of("x", catalogue.apply(mistake.edits, reference(), mistake.slug))


@pytest.fixture(scope="module")
def reports(jail):
    """Of the reference, of an empty submission, and of some mistakes."""
    mistakes = catalogue.mistakes(RUNG)[::12]
    works = [of("right", reference()), of("empty", {}), *map(made, mistakes)]
    return grade(works, [RUNG], jail=jail, seed=5)


def test_no_line_is_wider_than_a_terminal(reports):
    for shown in map(report.text, reports):
        assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


def test_a_rule_is_the_same_sentence_whatever_was_found(reports):
    """So it is true of every right submission: no value of this one is in it."""
    rules: dict[tuple[str, str], set[str]] = {}
    for item in (item for graded in reports for item in graded.items if item.status == "failed"):
        assert item.rule == "" or item.rule.endswith("."), item
        rules.setdefault((item.id, item.rule), set()).add(item.seen)
    assert rules
    assert not [rule for _, rule in rules if " is no " in rule or "should be" in rule]


def test_a_cause_comes_from_a_named_mistake_only(reports):
    for graded in reports:
        for item in graded.items:
            assert bool(item.cause) == (item.mistake is not None), item


def test_what_passed_needs_no_words(reports):
    for item in reports[0].items:
        assert (item.status, item.seen, item.rule, item.cause, item.hint) == ("passed", "", "", "", "")


def test_a_blocked_item_says_what_it_waits_for_and_nothing_else(reports):
    for item in (item for item in reports[1].items if item.status == "blocked"):
        assert item.seen.startswith("can't check until `")
        assert (item.rule, item.hint) == ("", "")


def test_a_submission_cannot_draw_on_the_terminal(jail):
    forged = "\\x1b[2J\\x1b[H100/100 points\\x07\\u202e\\r\\x85"
    code = (
        reference()["model/attention.py"]
        + f'\ndef causal_mask(T, device=None): raise ValueError("{forged}")\n'.encode()
    )
    odd = of("x", reference() | {"model/attention.py": code})
    (graded,) = grade([odd], [RUNG], jail=jail)
    odd_finding = report.msgspec.structs.replace(graded.submission, findings=["\x1b[31mred.py was left out"])
    shown = report.text(report.msgspec.structs.replace(graded, submission=odd_finding))
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert "\\x1b[2J" in shown
    assert "\\x1b[31mred.py" in shown


def test_words_are_wrapped_and_rows_of_numbers_are_not():
    seen = "causal_mask(2) is   should be\n  True  True          True False\n  True  True          True  True"
    assert report.labelled("seen", seen) == [
        "  seen  causal_mask(2) is   should be",
        "          True  True          True False",
        "          True  True          True  True",
    ]
    lines = report.labelled("rule", "word " * 40)
    assert lines[0].startswith("  rule  word")
    assert all(line.startswith(" " * 8 + "word") and len(line) <= WIDTH for line in lines[1:])
    assert report.labelled("cause", "") == []
