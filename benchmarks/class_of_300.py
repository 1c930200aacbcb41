"""A class of 300, a third of it hostile, killed three times: nothing is lost, doubled, or different for honest members.

    python benchmarks/class_of_300.py            # about fifteen minutes on two cores

Rung 2's reference, alternatives and mistakes, and as many kinds of attacks as there are hostile members. `ladder
grade-class` is killed with SIGKILL when a quarter, a half and three quarters of the reports are there, and started
again. Then every honest submission is graded alone, with the seed in its report, and the two reports must be equal in
everything but the time they took. The peak of each grader process's memory is read from /proc meanwhile.
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autograder import course, submission  # noqa: E402
from autograder.check_course.subjects import Subjects  # noqa: E402
from autograder.grading.grader import open_grader  # noqa: E402
from tests.attacks.catalogue import ATTACKS, CALLED, ON_ONE_ITEM, PREAMBLE  # noqa: E402

COURSE = course.read()
RUNG, SUBJECTS = COURSE.rung(2), Subjects(COURSE)
CORES = 2


def works(size: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(student, files): honest ones, right and wrong, and hostile ones, a kind each, in turns; no two are equal."""
    right = itertools.cycle([subject.files for subject in (SUBJECTS.solution(RUNG), *SUBJECTS.alternatives(RUNG))])
    wrong = itertools.cycle([subject.files for _, subject in SUBJECTS.mistakes(RUNG)])
    hostile = itertools.cycle(hostile_kinds(size // 3))
    for number in range(size):
        kind = ("right", "hostile", "wrong")[number % 3]
        files = next({"right": right, "wrong": wrong, "hostile": hostile}[kind])
        yield f"{kind}-{number:03}", files | {"notes/name.md": f"student {number}\n".encode()}


def hostile_kinds(number: int) -> list[dict[str, bytes]]:
    """So many attacks, from everywhere in the catalogue."""
    mask = "\ndef causal_mask(T, device=None): return attack(T)\n"
    codes = [code + CALLED for code in ATTACKS.values()] + [code + mask for code in ON_ONE_ITEM.values()]
    picked = codes[:: max(1, len(codes) // number)][:number]
    return [
        SUBJECTS.reference | {"model/attention.py": (PREAMBLE + code).encode("utf-8", "replace")} for code in picked
    ]


def hand_in(folder: Path, size: int) -> None:
    for student, files in works(size):
        for name, content in files.items():
            path = folder / student / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class Memory(threading.Thread):
    """Reads the peak memory of all grader processes, in MiB, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.over = 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            for path in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, ValueError):  # it ended in between
                    if b"spawn_main" in (path / "cmdline").read_bytes():
                        found = re.search(r"VmHWM:\s+(\d+) kB", (path / "status").read_text())
                        self.peak = max(self.peak, int(found[1]) >> 10 if found else 0)


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
        memory, begin, kept = Memory(), time.perf_counter(), {}
        memory.start()
        for quarter in (1, 2, 3):
            process = start(folder, out)
            while len(reports(out)) < size * quarter // 4:
                assert process.poll() is None, "grade-class ended early"
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = reports(out)
            print(f"killed after {time.perf_counter() - begin:.0f} s with {len(kept)} of {size} reports", flush=True)
        process = start(folder, out)
        process.wait()
        memory.over.set()
        there, seconds = reports(out), time.perf_counter() - begin
        assert process.returncode == 0
        assert len(there) == size
        again = [name for name, written in kept.items() if there[name] != written]
        # What a grader was busy with when the run was killed, it finishes; the run that goes on may have begun it, too.
        assert len(again) <= CORES, f"finished reports were written again: {again}"
        print(f"done after {seconds:.0f} s: {size} reports, {seconds / size:.2f} s each", flush=True)
        print(f"the largest grader process had {memory.peak} MiB")

        begin = time.perf_counter()
        paths = sorted((out / "reports").glob("[rw]*.json"))
        with multiprocessing.get_context("spawn").Pool(CORES) as pool:
            parts = [(folder, paths[i::CORES]) for i in range(CORES)]
            found = [line for lines in pool.starmap(different, parts) for line in lines]
        print(f"graded alone in {time.perf_counter() - begin:.0f} s; items that differ: {len(found)}", *found, sep="\n")
        full = Counter(
            path.name.partition("-")[0]
            for path in (out / "reports").glob("[!.]*.json")
            if json.loads(path.read_bytes())["points"] == RUNG.points
        )
        print(f"with full points: {dict(full)}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
