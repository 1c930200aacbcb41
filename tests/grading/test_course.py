"""A malformed rung is refused with file and field."""

import pytest

from autograder import course
from autograder.errors import CourseError, UnusableInput
from tests.this_course import COURSE

GOOD = """
slug = "probe"
title = "Probe"
summary = "A rung."
hours = 1
files = ["model/probe.py"]
[[items]]
id = "first"
title = "First"
points = 60
hint = "Look."
anchor = "first"
names = ["model.probe.first"]
[[items]]
id = "second"
title = "Second"
points = 40
hint = "Look."
anchor = "second"
needs = ["first"]
"""


CONFIG = """
name = "probe-course"
points_per_rung = 100
packages = ["model"]
jail_packages = []
[forbidden]
sorting = ["builtins.sorted", "heapq.*"]
"""


def made(tmp_path, manifest=GOOD, config=CONFIG):
    """A course with one rung, or none."""
    (tmp_path / "milestones").mkdir()
    (tmp_path / "milestones" / "course.toml").write_text(config)
    if manifest is not None:
        (tmp_path / "milestones" / "90_probe").mkdir()
        (tmp_path / "milestones" / "90_probe" / "milestone.toml").write_text(manifest)
    return course.read(tmp_path)


def test_a_well_formed_rung_is_read(tmp_path):
    rung = made(tmp_path).rung(90)
    assert (rung.number, rung.title, rung.points) == (90, "Probe", 100)
    assert rung.items[0].function == "test_first"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("points = 60", "points = 61", "points"),
        ("points = 60", 'points = "many"', "points"),
        ("points = 60", "points = 0", "points"),
        ('id = "second"', 'id = "first"', "id"),
        ('id = "second"', 'id = "Second One"', "id"),
        ('needs = ["first"]', 'needs = ["third"]', "needs"),
        ('slug = "probe"', 'slug = "other"', "slug"),
        ("hours = 1", "hours = -1", "hours"),
        ("hours = 1", "", "hours"),
        ('files = ["model/probe.py"]', 'files = ["../probe.py"]', "files"),
        ('hint = "Look."', 'hint = ""', "hint"),
        ("[[items]]", "[items]", ""),
        ('title = "First"', 'title = "First"\ncolour = "red"', "colour"),
        ("model.probe.first", "first", "names"),
        ('needs = ["first"]', 'not_allowed = ["@searching"]', "not_allowed"),
    ],
)
def test_a_malformed_rung_is_refused_with_file_and_field(tmp_path, old, new, field):
    with pytest.raises(CourseError) as caught:
        made(tmp_path, GOOD.replace(old, new, 1)).rungs()
    assert "milestone.toml" in str(caught.value)
    assert field in str(caught.value)


def test_a_group_of_forbidden_names_is_written_once_for_the_course(tmp_path):
    rung = made(tmp_path, GOOD.replace('needs = ["first"]', 'not_allowed = ["@sorting", "numpy.sort"]')).rung(90)
    assert rung.items[1].not_allowed == ["builtins.sorted", "heapq.*", "numpy.sort"]


def test_a_rung_without_a_manifest_is_refused(tmp_path):
    probe = made(tmp_path, None)
    (tmp_path / "milestones" / "90_probe").mkdir()
    with pytest.raises(CourseError, match="is missing"):
        probe.rungs()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [('name = "probe-course"', "", "name"), ("points_per_rung = 100", "points_per_rung = 0", "points_per_rung"),
     ('packages = ["model"]', "packages = []", "packages"), ("jail_packages = []", "colour = 3", "colour")],
)  # fmt: skip
def test_a_malformed_course_is_refused_with_file_and_field(tmp_path, old, new, field):
    with pytest.raises(CourseError) as caught:
        made(tmp_path, config=CONFIG.replace(old, new, 1))
    assert "course.toml" in str(caught.value)
    assert field in str(caught.value)


def test_a_folder_that_is_not_a_course_is_unusable(tmp_path):
    with pytest.raises(UnusableInput, match=r"no milestones/course\.toml"):
        course.read(tmp_path)


def test_a_milestone_that_does_not_exist_is_unusable_and_the_others_are_named(tmp_path):
    with pytest.raises(UnusableInput, match="no milestone 3; there are 90"):
        made(tmp_path).rung(3)


def test_every_rung_of_the_course_is_well_formed():
    rungs = COURSE.rungs()
    assert [rung.number for rung in rungs] == list(range(1, len(rungs) + 1))
    for rung in rungs:
        assert rung.points == COURSE.config.points_per_rung
        assert rung.handout.exists()
        assert list(rung.grader.glob("*.py"))
