"""What counts of a hand-in, and that nothing outside of it does."""

import os
import subprocess

import pytest

from autograder import submission
from autograder.submission import MAX_DEPTH
from tests.intake.building import OWN, folder, only_finding, read, tarred, zipped


@pytest.fixture
def neighbour(tmp_path):
    """Somebody's folder and archive beside the hand-in, that must not count."""
    zipped(tmp_path / "neighbour.zip")
    return folder(tmp_path / "neighbour")


def test_a_folder_reads_as_the_learners_own_grading_reads_it(tmp_path):
    work = folder(tmp_path / "ada", OWN | {"notes/.hidden.md": b"", "data.bin": b"", "model/link.md": b"y"})
    (work / "out").symlink_to("/etc")
    taken, own = read(work), submission.read(work)
    assert (taken.files, taken.sha256, taken.findings) == (own.files, own.sha256, own.findings)


@pytest.mark.parametrize("target", ["neighbour", "neighbour.zip", "nowhere", "/etc"])
@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x"])
def test_a_link_is_a_finding_wherever_it_points(tmp_path, neighbour, name, target):
    (tmp_path / name).symlink_to(target)
    taken = read(tmp_path / name)
    assert taken.files == {}
    assert "is a link" in only_finding(taken)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.mknod(path, 0o20666, os.makedev(1, 5))])
def test_a_fifo_and_a_device_called_like_an_archive_are_findings(tmp_path, make):
    if make is not os.mkfifo and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    make(tmp_path / "x.zip")
    assert "is not a regular file" in only_finding(read(tmp_path / "x.zip"))
    inside = folder(tmp_path / "ada", {})
    make(inside / "x.zip")
    assert "is not a regular file" in only_finding(read(inside))


def test_links_inside_a_folder_lead_nowhere(tmp_path, neighbour):
    work = folder(tmp_path / "ada", {})
    (work / "model").symlink_to(neighbour / "model")
    (work / "work.zip").symlink_to(tmp_path / "neighbour.zip")
    taken = read(work)
    assert taken.files == {}
    assert sum("is a link" in finding for finding in taken.findings) >= 2


def test_nbgraders_folders_that_are_links_lead_nowhere(tmp_path, neighbour):
    student = folder(tmp_path / "submitted" / "ada", {})
    (student / "rung-2").symlink_to(neighbour)
    taken = read(student, "rung-2")
    assert taken.files == {}
    assert "rung-2 is a link" in only_finding(taken)


def test_who_did_not_hand_in_for_this_assignment_has_a_finding(tmp_path):
    student = folder(tmp_path / "ada", {"rung-1/model/own.py": b"x"})
    for assignment in ("rung-2", "..", "rung-1/model"):
        assert "nothing was handed in" in only_finding(read(student, assignment))


def test_a_hard_link_to_a_neighbours_file_costs_the_neighbour_nothing(tmp_path, neighbour):
    before = read(neighbour)
    copy = folder(tmp_path / "copy", {"model/other.py": b""})
    os.link(neighbour / "model" / "own.py", copy / "model" / "own.py")
    after = read(neighbour)
    assert (after.files, after.sha256) == (before.files, before.sha256)
    assert "other names on this disk" in only_finding(read(copy))
    assert "neighbour" not in only_finding(read(copy))


def test_a_hard_link_to_a_file_of_another_user_is_left_out(tmp_path, neighbour):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    copy = folder(tmp_path / "copy", {})
    os.link(neighbour / "model" / "own.py", copy / "own.py")
    os.chown(copy, 65534, 65534)
    taken = read(copy)
    assert taken.files == {}
    assert "another user's file" in only_finding(taken)
    assert read(neighbour).files == OWN


def test_a_workspace_with_an_archive_in_it_is_graded_as_the_workspace(tmp_path):
    work = folder(tmp_path / "ada")
    zipped(work / "data.zip", {"corpus.txt": b"to be"})
    assert read(work).files == OWN
    assert read(work).findings == []


def test_the_one_archive_of_a_folder_without_a_workspace_counts(tmp_path):
    work = folder(tmp_path / "ada", {"comments.txt": b"sorry for the delay"})
    tarred(work / "work.tar.gz", {f"ada/{name}": content for name, content in OWN.items()}, "w:gz")
    taken = read(work)
    assert taken.files == OWN
    assert "1 files beside work.tar.gz" in only_finding(taken)


def test_of_two_archives_none_is_guessed(tmp_path):
    work = folder(tmp_path / "ada", {})
    zipped(work / "one.zip")
    zipped(work / "two.zip")
    taken = read(work)
    assert taken.files == {}
    assert "hand in one" in only_finding(taken)


def test_a_folder_called_like_an_archive_is_a_folder(tmp_path):
    assert read(folder(tmp_path / "ada.zip")).files == OWN
    folder(tmp_path / "bob" / "x.zip")
    assert "x.zip/model/own.py" in read(tmp_path / "bob").files


def test_thousands_of_folders_inside_each_other_are_a_finding(tmp_path):
    work = folder(tmp_path / "ada")
    place = os.open(work, os.O_RDONLY)
    for _ in range(1500):  # a path of this length can't be named in one piece
        os.mkdir("d", dir_fd=place)
        place, above = os.open("d", os.O_RDONLY, dir_fd=place), place
        os.close(above)
    os.close(place)
    readings = read(work), submission.read(work)
    subprocess.run(["rm", "-r", work], check=True)  # pytest's own cleaning can't
    for taken in readings:
        assert taken.files == OWN
        assert f"{MAX_DEPTH} folders deep" in only_finding(taken)


def test_a_folder_of_too_many_files_costs_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "MAX_ENTRIES", 20)
    work = folder(tmp_path / "ada", OWN | {f"many/{number}.py": b"" for number in range(21)})
    taken = submission.read(work)
    assert taken.files == OWN
    assert "many was left out: there are more than 20 files" in only_finding(taken)


def test_what_is_gone_is_a_finding(tmp_path):
    assert "No such file" in only_finding(read(tmp_path / "gone"))
    assert "No such file" in only_finding(read(tmp_path / "gone" / "deeper.zip"))


def test_a_path_that_is_not_utf8_is_read_and_said(tmp_path):
    work = folder(tmp_path / os.fsdecode(b"caf\xe9"))
    taken = read(work)
    assert taken.files == OWN
    taken.path.encode()
