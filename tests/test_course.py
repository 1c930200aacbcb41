"""A malformed rung is refused with file and field."""

import pytest

from autograder import course

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


def read(tmp_path, text, folder="90_probe"):
    path = tmp_path / folder
    path.mkdir()
    (path / "milestone.toml").write_text(text)
    return course.read(path)


def test_a_well_formed_rung_is_read(tmp_path):
    rung = read(tmp_path, GOOD)
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
    ],
)
def test_a_malformed_rung_is_refused_with_file_and_field(tmp_path, old, new, field):
    with pytest.raises(course.CourseError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert "milestone.toml" in str(caught.value)
    assert field in str(caught.value)


def test_a_rung_without_a_manifest_is_refused(tmp_path):
    (tmp_path / "90_probe").mkdir()
    with pytest.raises(course.CourseError, match="is missing"):
        course.read(tmp_path / "90_probe")


def test_every_rung_of_the_course_is_well_formed():
    rungs = course.milestones()
    assert [rung.number for rung in rungs] == list(range(1, len(rungs) + 1))
    for rung in rungs:
        assert rung.points == course.TOTAL_POINTS
        assert rung.handout.exists()
        assert rung.grader.exists()
