"""What the README shows is what the course says and what the command prints."""

import re

from autograder import report
from autograder.grading import catalogue
from autograder.submission import of
from tests.this_course import COURSE, ROOT, grade, reference

README = (ROOT / "README.md").read_text()


def test_the_table_of_rungs_is_that_of_the_manifests():
    shown = re.findall(r"^\| (\d+)\. (.+?) \| (.+?) \| (\S+) \|$", README, re.MULTILINE)
    rungs = COURSE.rungs()
    assert shown == [(str(r.number), r.title, r.manifest.summary, f"{r.manifest.hours:g}") for r in rungs]


def test_the_verdict_is_the_one_that_is_printed(jail):
    verdict = re.search(r"A verdict looks like this:\n\n```\n(.*?)```", README, re.DOTALL)[1]
    rung = COURSE.rung(2)
    mistake = next(mistake for mistake in catalogue.mistakes(rung) if mistake.slug == "mask-off-by-one")
    work = of("x", catalogue.apply(mistake.edits, reference(), mistake.slug))
    assert verdict in report.text(grade([work], [rung], jail=jail)[0])


def test_every_room_in_the_tree_exists():
    tree = README.split("## How it is laid out")[1].split("```")[1]
    rooms = {"engine": "autograder"}
    for line in tree.strip().splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        if name.endswith("/"):
            parent = rooms.get(len(indent) - 2, "") if indent else ""
            rooms[len(indent)] = f"{parent}{name}"
            assert (ROOT / f"{parent}{name}").is_dir(), line
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    named = {name.rstrip("/") for name in re.findall(r"(?:^|\s)([a-z_]+/)(?=\s)", tree)}
    assert top - named <= {"work", "gpt_ladder.egg-info"}
