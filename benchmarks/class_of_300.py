"""A class of 300, graded in one run that is killed in the middle and goes on: nothing is lost, doubled, or different.

    python benchmarks/class_of_300.py            # about ten minutes on two cores

Rung 2's reference, alternatives, mistakes and attacks, mixed. `ladder grade-class` is killed with SIGKILL when a third
of the reports is there, and started again. Then every submission is graded alone, with the seed in its report, and the
two reports must be equal in everything but the time they took.
"""

import argparse
import itertools
import json
import multiprocessing
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autograder import course, submission  # noqa: E402
from autograder.check_course.subjects import Subjects  # noqa: E402
from autograder.grading.grader import open_grader  # noqa: E402
from tests.attacks.catalogue import ATTACKS, CALLED, PREAMBLE  # noqa: E402

COURSE = course.read()
RUNG, SUBJECTS = COURSE.rung(2), Subjects(COURSE)
CORES = 2


def works(size: int) -> list[dict[str, bytes]]:
    """Submissions of all kinds in turns, each with a note of its own, so that no two are equal."""
    right = itertools.cycle([subject.files for subject in (SUBJECTS.solution(RUNG), *SUBJECTS.alternatives(RUNG))])
    wrong = itertools.cycle([subject.files for _, subject in SUBJECTS.mistakes(RUNG)])
    codes = list(ATTACKS.values())[::2]  # all of them would be minutes of waiting for those that hang
    hostile = itertools.cycle(
        [SUBJECTS.reference | {"model/attention.py": (PREAMBLE + code + CALLED).encode()} for code in codes]
    )
    turns = itertools.cycle([right, wrong, wrong, hostile])
    return [next(next(turns)) | {"notes/name.md": f"student {number}\n".encode()} for number in range(size)]


def hand_in(folder: Path, size: int) -> None:
    for number, files in enumerate(works(size)):
        for name, content in files.items():
            path = folder / f"student-{number:03}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def start(folder: Path, out: Path) -> subprocess.Popen:
    code = "from autograder.cli import main; main()"
    arguments = ["grade-class", str(folder), "--out", str(out), "-m", str(RUNG.number)]
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)


def reports(out: Path) -> dict[str, int]:
    """The reports that are there, with the time at which each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "reports").glob("[!.]*.json")}


def comparable(report: dict) -> dict:
    """A report without what may differ from run to run: how long it took."""
    for milestone in report["milestones"]:
        del milestone["seconds"]
        for item in milestone["items"]:
            del item["seconds"]
    return report


def different(folder: Path, there: list[Path]) -> list[str]:
    """The submissions whose report is not the one that grading them alone gives, and where it is not."""
    found: list[str] = []
    with open_grader(COURSE, [RUNG], jail="bubblewrap") as grader:
        for path in there:
            ours = json.loads(path.read_bytes())
            alone = grader.grade(submission.read(folder / path.stem), ours["seed"])
            theirs = json.loads(msgspec.json.encode(alone))
            if comparable(ours) != comparable(theirs):
                pairs = zip(ours["milestones"][0]["items"], theirs["milestones"][0]["items"], strict=True)
                found.extend(f"{path.stem}: {here}\n  alone: {there}" for here, there in pairs if here != there)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=300)
    size = parser.parse_args().size
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "class", Path(scratch) / "out"
        hand_in(folder, size)
        begin = time.perf_counter()
        process = start(folder, out)
        while len(reports(out)) < size // 3:
            assert process.poll() is None, "grade-class ended early"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept, first = reports(out), time.perf_counter() - begin
        print(f"killed after {first:.0f} s with {len(kept)} of {size} reports", flush=True)

        begin = time.perf_counter()
        process = start(folder, out)
        process.wait()
        there, second = reports(out), time.perf_counter() - begin
        assert process.returncode == 0
        assert len(there) == size
        assert all(there[name] == written for name, written in kept.items()), "a finished report was written again"
        print(f"went on for {second:.0f} s: {size} reports, {(first + second) / size:.2f} s each", flush=True)

        begin = time.perf_counter()
        paths = sorted((out / "reports").glob("[!.]*.json"))
        with multiprocessing.get_context("spawn").Pool(CORES) as pool:
            parts = [(folder, paths[i::CORES]) for i in range(CORES)]
            found = [line for lines in pool.starmap(different, parts) for line in lines]
        print(f"graded alone in {time.perf_counter() - begin:.0f} s; items that differ: {len(found)}", *found, sep="\n")
        points = Counter(json.loads(path.read_bytes())["points"] == RUNG.points for path in paths)
        print(f"{points[True]} with full points, {points[False]} without")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
