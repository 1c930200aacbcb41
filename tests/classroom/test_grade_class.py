"""A class is graded whole, each report once, whatever is in it and whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from autograder import report
from autograder.classroom import handed_in
from autograder.classroom.grade_class import grade_class
from autograder.errors import UnusableInput
from autograder.grading import catalogue
from autograder.intake import Reader
from autograder.submission import of
from tests.this_course import COURSE, ROOT, grade, reference

RUNG = COURSE.rung(2)
PACKAGES = COURSE.config.packages


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def without_seconds(result):
    """A report's JSON with what may differ from run to run taken out."""
    data = json.loads(report.msgspec.json.encode(result))
    for milestone in data["milestones"]:
        milestone.pop("seconds")
        for item in milestone["items"]:
            item.pop("seconds")
    data["submission"].pop("path")
    return data


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory):
    """Reference, mistakes, an archive, a broken archive, an empty folder, one that exits."""
    folder = tmp_path_factory.mktemp("class")
    files = reference()
    write(folder / "ada", files)
    for mistake in catalogue.mistakes(RUNG)[:4]:
        write(folder / mistake.slug, catalogue.apply(mistake.edits, files, mistake.slug))
    with tarfile.open(folder / "grace.tar.gz", "w:gz") as archive:
        archive.add(folder / "ada", "grace-final")
    (folder / "broken.zip").write_bytes(b"PK not really")
    (folder / "empty").mkdir()
    write(folder / "exits", files | {"model/attention.py": b"import os\nos._exit(1)\n"})
    return folder


def test_each_report_equals_the_one_by_one_grading(class_folder, tmp_path, jail):
    found = handed_in.find(class_folder)
    results = grade_class(found, tmp_path, COURSE, [RUNG], jail=jail, trust=False)
    assert [student for student, _ in results] == [hand_in.student for hand_in in found]
    with Reader(PACKAGES) as reader:
        alone = grade([hand_in.read(reader) for hand_in in found], [RUNG], jail=jail)
    assert [without_seconds(result) for _, result in results] == [without_seconds(result) for result in alone]
    points = {student: result.points for student, result in results}
    assert points["ada"] == points["grace"] == 100
    assert points["broken"] == points["empty"] == 0


def test_a_run_killed_in_the_middle_goes_on_where_it_stopped(class_folder, tmp_path, jail):
    code = (
        "from pathlib import Path\nfrom autograder.classroom import handed_in\n"
        "from autograder.classroom.grade_class import grade_class\nfrom autograder.course import read\n"
        "if __name__ == '__main__':\n    course = read()\n"
        f"    grade_class(handed_in.find(Path({str(class_folder)!r})), Path({str(tmp_path)!r}), course,"
        f" [course.rung(2)], jail={jail!r}, trust=False)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL)
    reports = tmp_path / "reports"
    deadline = time.monotonic() + 60
    while len(list(reports.glob("*.json")) if reports.exists() else []) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in reports.glob("[!.]*.json")}
    assert done
    found = handed_in.find(class_folder)
    results = grade_class(found, tmp_path, COURSE, [RUNG], jail=jail, trust=False)
    assert len(results) == len(found) == len(list(reports.glob("[!.]*.json")))
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())


def test_a_changed_submission_is_graded_again(tmp_path, jail):
    work = tmp_path / "class"
    write(work / "ada", {"model/attention.py": b""})
    [(_, before)] = grade_class(handed_in.find(work), tmp_path / "out", COURSE, [RUNG], jail=jail, trust=False)
    write(work / "ada", reference())
    [(_, after)] = grade_class(handed_in.find(work), tmp_path / "out", COURSE, [RUNG], jail=jail, trust=False)
    assert (before.points, after.points) == (0, 100)


def test_a_class_is_not_graded_without_a_jail_unless_trusted(class_folder, tmp_path):
    with pytest.raises(UnusableInput, match="--trust"):
        grade_class(handed_in.find(class_folder), tmp_path, COURSE, [RUNG], jail="none", trust=False)


def test_nbgraders_submitted_tree_is_understood(tmp_path):
    write(tmp_path / "ada" / "rung-2", {"model/attention.py": b"x = 1"})
    write(tmp_path / "bob" / "rung-2", {"model/attention.py": b"x = 2"})
    found = handed_in.find(tmp_path, "rung-2")
    with Reader(PACKAGES) as reader:
        assert [(hand_in.student, hand_in.read(reader).files) for hand_in in found] == [
            ("ada", {"model/attention.py": b"x = 1"}),
            ("bob", {"model/attention.py": b"x = 2"}),
        ]


def test_one_by_one_and_as_a_class_a_hand_in_reads_and_is_graded_the_same(tmp_path, jail):
    """Strange ones, too: same files, same findings, and `ladder grade` says what the class's report says."""
    folder, files = tmp_path / "class", reference()
    write(folder / "ada", files)
    write(folder / "own.archive", files)
    (folder / "own.archive" / "data.zip").write_bytes(b"PK no")
    (folder / "linked").symlink_to("ada")
    (folder / "gone.zip").symlink_to("nowhere")
    (folder / os.fsdecode(b"caf\xe9.zip")).write_bytes(b"PK")
    write(folder / ("x" * 250), {"model/attention.py": b""})
    os.mkfifo(folder / "fifo.zip")
    write(folder / "hard", {"model/mine.py": b""})
    os.link(folder / "ada" / "model" / "attention.py", folder / "hard" / "model" / "attention.py")
    results = dict(grade_class(handed_in.find(folder), tmp_path / "out", COURSE, [RUNG], jail=jail, trust=False))
    assert len(results) == 8
    assert results["ada"].points == results["own.archive"].points == 100
    assert results["linked"].points == results["gone"].points == results["fifo"].points == 0
    assert all(results[name].submission.findings for name in ("linked", "gone", "fifo", "hard", "caf\\udce9"))
    assert "ada" not in str(results["hard"].submission.findings)
    for student in ("ada", "own.archive", "hard", "x" * 250):
        json_file = tmp_path / "alone.json"
        command = [sys.executable, "-m", "autograder.cli", "grade", str(folder / student), "--json", str(json_file)]
        subprocess.run([*command, "-m", "2"], cwd=ROOT, check=True, capture_output=True)
        assert without_seconds(report.read(json_file)) == without_seconds(results[student])
        assert report.read(json_file).submission == results[student].submission


def test_a_report_that_was_cut_short_is_made_anew(tmp_path, jail):
    work, out = tmp_path / "class", tmp_path / "out"
    write(work / "ada", {"model/attention.py": b""})
    grade_class(handed_in.find(work), out, COURSE, [RUNG], jail=jail, trust=False)
    path = out / "reports" / "ada.json"
    whole = report.read(path)
    for cut in (b"", path.read_bytes()[:1000]):
        path.write_bytes(cut)
        [(_, again)] = grade_class(handed_in.find(work), out, COURSE, [RUNG], jail=jail, trust=False)
        assert without_seconds(again) == without_seconds(whole) == without_seconds(report.read(path))


def test_a_seed_repeats_every_verdict(jail):
    works = [
        of("x", catalogue.apply(mistake.edits, reference(), mistake.slug)) for mistake in catalogue.mistakes(RUNG)[:3]
    ]
    first = grade(works, [RUNG], jail=jail)
    again = [grade([work], [RUNG], jail=jail, seed=before.seed)[0] for work, before in zip(works, first, strict=True)]
    assert [without_seconds(result) for result in first] == [without_seconds(result) for result in again]


def test_a_report_by_an_older_grader_is_made_anew(tmp_path, jail):
    work, out = tmp_path / "class", tmp_path / "out"
    write(work / "ada", {"model/attention.py": b""})
    grade_class(handed_in.find(work), out, COURSE, [RUNG], jail=jail, trust=False)
    path = out / "reports" / "ada.json"
    current = path.read_bytes()
    for older in (current.replace(b'"fingerprint": "', b'"fingerprint": "0'), b'{"schema": "gpt-ladder/report/1"}'):
        path.write_bytes(older)
        grade_class(handed_in.find(work), out, COURSE, [RUNG], jail=jail, trust=False)
        assert report.read(path).rungs[0].fingerprint in current.decode()
    written = path.stat().st_mtime_ns
    grade_class(handed_in.find(work), out, COURSE, [RUNG], jail=jail, trust=False)
    assert path.stat().st_mtime_ns == written, "a report that still fits is kept"
