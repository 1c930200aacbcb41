"""A class with a hostile member in every second place: it is graded to its end, and its neighbours notice nothing.

All of it is one run, on one cheap rung of the tiny course, so that whatever a member leaves behind meets the others.
"""

import csv
import itertools
import json
import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import pytest

from autograder import course as courses
from autograder import report as reports
from autograder.classroom import handed_in, summary
from autograder.classroom.grade_class import grade_class
from autograder.grading import grader
from autograder.submission import of
from tests.attacks.catalogue.class_members import CODE, FILES, PREAMBLE, lay_out

pytestmark = pytest.mark.long

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_course"
SECONDS = 3  # of an item: a member that hangs costs this much for each, and honest code needs it on a busy machine
MINUTES = 5  # in which the whole class must be graded on a busy machine
SLUGS = {name.replace(" ", "-"): name for name in [*CODE, *FILES]}
KINDS = itertools.cycle(("right", "wrong"))
NEIGHBOURS = {slug: f"{slug}.{next(KINDS) if name in CODE else 'right'}" for slug, name in SLUGS.items()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny course with short items."""
    folder = shutil.copytree(TINY, tmp_path_factory.mktemp("tiny") / "course")
    for path in folder.glob("milestones/*/milestone.toml"):
        path.write_text(path.read_text().replace("[[items]]\n", f"[[items]]\nseconds = {SECONDS}\n"))
    return courses.read(folder)


@pytest.fixture(scope="module")
def right(tiny):
    return (tiny.root / "solutions" / "containers" / "stack.py").read_bytes()


@pytest.fixture(scope="module")
def wrong(right):
    return right.replace(b"self._held.pop()", b"self._held.pop(0)")


@pytest.fixture(scope="module")
def hand_ins(tiny, right, wrong, tmp_path_factory):
    """After each hostile member one that is right, or one that has an honest mistake."""
    folder = tmp_path_factory.mktemp("class")
    for slug, name in SLUGS.items():
        write(folder / NEIGHBOURS[slug], wrong if NEIGHBOURS[slug].endswith(".wrong") else right)
        if name in CODE:
            write(folder / slug, (PREAMBLE + CODE[name]).encode())
        else:
            lay_out(folder, name, NEIGHBOURS[slug], right)
    return folder


def write(folder, code):
    (folder / "containers").mkdir(parents=True)
    (folder / "containers" / "stack.py").write_bytes(code)


@pytest.fixture(scope="module")
def graded(tiny, hand_ins, tmp_path_factory, jail):
    """(student -> report, the folder with the class's files), all of one run."""
    out, start = tmp_path_factory.mktemp("out"), time.monotonic()
    found = handed_in.find(hand_ins)
    results = grade_class(found, out, tiny, [tiny.rung(1)], jail=jail, trust=False, seed=5)
    assert time.monotonic() - start < 60 * MINUTES
    assert len(results) == len(found) == 2 * len(SLUGS)
    summary.write_csv(results, out / "summary.csv")
    (out / "table.txt").write_text(summary.table(results))
    return dict(results), out


@pytest.fixture(scope="module")
def twins(tiny, right, wrong, jail):
    """What the honest neighbours get when they are graded alone."""
    alone = [of(kind, {"containers/stack.py": code}) for kind, code in (("right", right), ("wrong", wrong))]
    # In a process of its own: one process collects the graders of one course.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        reports = fresh.submit(grader.grade, alone, tiny, [tiny.rung(1)], jail=jail, seed=5).result()
    return dict(zip(("right", "wrong"), reports, strict=True))


def verdicts(report):
    """All that a report says of a submission, besides its place and the time it took."""
    data = json.loads(msgspec.json.encode(report))
    data["submission"].pop("path")
    for milestone in data["milestones"]:
        milestone.pop("seconds")
        for item in milestone["items"]:
            item.pop("seconds")
    return data


@pytest.mark.parametrize("slug", SLUGS)
def test_a_hostile_member_earns_nothing(graded, slug):
    report = graded[0][slug]
    assert report.points == 0, [(item.id, item.seen) for item in report.items if item.points]


@pytest.mark.parametrize("neighbour", NEIGHBOURS.values())
def test_an_honest_neighbour_gets_what_it_gets_alone(graded, twins, neighbour):
    report, twin = verdicts(graded[0][neighbour]), verdicts(twins[neighbour.split(".")[1]])
    assert [milestone["items"] for milestone in report["milestones"]] == [m["items"] for m in twin["milestones"]]
    assert report == twin


def test_the_twins_are_what_they_are_called(twins):
    assert (twins["right"].points, twins["wrong"].points) == (20, 5)


def test_every_member_is_in_the_summary_and_no_word_of_theirs_moves_a_terminal(graded):
    results, out = graded
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["student"] for row in rows) == sorted(results)
    for text in [(out / "table.txt").read_text(), *map(reports.text, results.values())]:
        assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_no_member_has_written_outside_the_jail(graded, hand_ins, right):
    assert not Path("/tmp/ladder-outside.py").exists()
    for path in hand_ins.glob("*.right/containers/stack.py"):
        assert path.read_bytes() == right
