"""Every student has a report of their own, whatever they are called."""

import os
import unicodedata

import pytest

from autograder.classroom import handed_in
from autograder.classroom.handed_in import report_names
from autograder.errors import UnusableInput

NFC, NFD = "José", unicodedata.normalize("NFD", "José")


@pytest.fixture
def classroom(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    return folder


def students(folder):
    return [hand_in.student for hand_in in handed_in.find(folder)]


def test_only_an_archives_suffix_is_cut(classroom):
    for name in ("maria.garcia.zip", "maria.lopez.zip", "Smith, Jr.zip", "Anna Maria.tar.gz", "李雷.tgz"):
        (classroom / name).write_bytes(b"")
    (classroom / "v1.2").mkdir()
    assert students(classroom) == ["Anna Maria", "Smith, Jr", "maria.garcia", "maria.lopez", "v1.2", "李雷"]


def test_a_plain_name_is_its_reports_name():
    plain = ["ada", "maria.garcia", "Smith, Jr", "José", "李雷", "O'Brien (2)", "x" * 100]
    assert report_names(plain) == {name: name for name in plain}


@pytest.mark.parametrize("twins", [("Ada", "ada"), (NFC, NFD), ("STRASSE", "straße"), (NFC.upper(), NFD)])
def test_twins_on_some_file_system_have_reports_of_their_own(twins):
    reports = list(report_names([*twins, "bob"]).values())
    folded = {unicodedata.normalize("NFC", name).casefold() for name in reports}
    assert len(folded) == 3
    assert reports[-1] == "bob"


def test_nobody_can_take_anothers_report_by_choosing_a_name():
    names = report_names(["Ada", "ada"])
    again = report_names(["Ada", "ada", names["ada"], names["Ada"]])
    assert len(set(again.values())) == 4
    assert again["ada"] == names["ada"]


@pytest.mark.parametrize("name", ["x" * 250, "é" * 120, os.fsdecode(b"caf\xe9"), "a\nb", "\x1b[2Jx", " x", "x.", "‮x"])
def test_an_odd_name_has_a_report_that_can_be_written(tmp_path, name):
    report = report_names([name])[name]
    assert report != name
    assert report == report.encode().decode()
    (tmp_path / f".{report}.json.12345678.partial").write_bytes(b"")


def test_names_that_are_links_or_special_are_hand_ins(classroom):
    (classroom / "gone.zip").symlink_to("nowhere")
    os.mkfifo(classroom / "fifo.zip")
    (classroom / "link").symlink_to("/etc")
    (classroom / "roster.csv").write_text("")
    (classroom / ".hidden").mkdir()
    assert students(classroom) == ["fifo", "gone", "link"]


def test_one_student_twice_is_refused_before_anything_is_graded(classroom):
    (classroom / "ada").mkdir()
    (classroom / "ada.zip").write_bytes(b"")
    with pytest.raises(UnusableInput, match=r"ada handed in both ada and ada\.zip"):
        handed_in.find(classroom)


def test_a_class_that_cannot_be_listed_is_said(classroom):
    with pytest.raises(UnusableInput, match="not a folder"):
        handed_in.find(classroom / "none")
    with pytest.raises(UnusableInput, match="nothing is handed in"):
        handed_in.find(classroom)


def test_a_name_that_is_not_utf8_can_be_written(classroom):
    (classroom / os.fsdecode(b"caf\xe9.zip")).write_bytes(b"")
    assert students(classroom)[0].encode() == rb"caf\udce9"
