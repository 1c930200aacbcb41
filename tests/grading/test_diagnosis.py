"""A name is given only if it explains what was seen; a wrong name is worse than none."""

from autograder.grading import diagnosis
from autograder.grading.catalogue import Mistake
from autograder.grading.diagnosis import Diagnosis, Evidence, alike
from autograder.grading.expect import Stopped
from autograder.grading.fingerprint import Fingerprint
from tests.this_course import COURSE

RUNG = COURSE.rung(2)
UNDER = Fingerprint("0123", "4567")


def mistake(slug, family=None):
    return Mistake(slug=slug, file="f", find="x", replace="y", cause="c", hint="h", anchor="a", family=family)


def seen(value, ended=None):
    return Evidence([["out", False, value]], ended)


def name(known, statuses, evidence):
    named = Diagnosis({RUNG.number: known}).name(RUNG, statuses, evidence)
    return {item: found.name if found else None for item, found in named.items()}


A = (mistake("a"), {"one": seen(1.0)})
B = (mistake("b"), {"one": seen(1.0), "two": seen(2.0)})


def test_the_mistake_that_looks_the_same_is_named():
    assert name([A], {"one": "failed"}, {"one": seen(1.0 + 1e-9)}) == {"one": "a"}


def test_a_mistake_that_looks_different_is_not_named():
    assert name([A], {"one": "failed"}, {"one": seen(1.1)}) == {"one": None}
    assert name([A], {"one": "failed"}, {"one": seen(1.0, ended="TypeError")}) == {"one": None}


def test_a_mistake_that_would_also_break_a_passing_item_is_not_named():
    assert name([B], {"one": "failed", "two": "passed"}, {"one": seen(1.0)}) == {"one": None}


def test_of_two_mistakes_the_one_that_explains_more_is_named():
    evidence = {"one": seen(1.0), "two": seen(2.0)}
    assert name([A, B], {"one": "failed", "two": "failed"}, evidence) == {"one": "b", "two": "b"}


def test_two_mistakes_at_once_are_both_named():
    other = (mistake("c"), {"two": seen(3.0)})
    evidence = {"one": seen(1.0), "two": seen(3.0)}
    assert name([A, other], {"one": "failed", "two": "failed"}, evidence) == {"one": "a", "two": "c"}


def test_two_names_for_one_picture_give_no_name_and_a_family_gives_its_own():
    twin = (mistake("twin"), {"one": seen(1.0)})
    assert name([A, twin], {"one": "failed"}, {"one": seen(1.0)}) == {"one": None}
    family = [(mistake(slug, family="both"), {"one": seen(1.0)}) for slug in ("x", "y")]
    assert name(family, {"one": "failed"}, {"one": seen(1.0)}) == {"one": "both"}


def test_measured_numbers_compare_as_measured():
    assert alike([1.0, [2, "x"]], [1.0 + 1e-8, [2, "x"]])
    assert not alike([1.0], [1.01])
    assert not alike([1.0], [1.0, 2.0])
    assert not alike(True, 1)
    assert alike(float("nan"), float("nan"))


def test_records_come_back_as_they_were_saved(tmp_path, monkeypatch):
    catalogued = [mistake.slug for mistake in diagnosis.catalogue.mistakes(RUNG)[:2]]
    kept = {slug: {"one": seen([1.0, "x"]), "two": Evidence([["a", True, None]], "Stop: #")} for slug in catalogued}
    path = tmp_path / "records.json"
    path.write_bytes(diagnosis.encoded(UNDER, kept))
    monkeypatch.setattr(diagnosis, "path_for", lambda rung: path)
    assert diagnosis.recorded_under(RUNG) == UNDER
    named = Diagnosis.load([RUNG]).name(RUNG, {}, {"two": Evidence([["a", True, None]], "Stop: #")})
    assert named["two"] is None  # two mistakes, two names: neither is given
    path.write_bytes(diagnosis.encoded(UNDER, {catalogued[0]: kept[catalogued[0]]}))
    named = Diagnosis.load([RUNG]).name(RUNG, {}, {"two": Evidence([["a", True, None]], "Stop: #")})
    assert named["two"].slug == catalogued[0]


def test_a_need_that_ends_a_diagnosis_run_is_known_by_its_record_alone():
    assert Evidence.of([["a pair", False, None]], Stopped("a pair")) == Evidence.of([["a pair", False, None]], None)
    assert Evidence.of([], ValueError("no 3")).ended == "ValueError: no #"
