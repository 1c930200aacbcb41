"""Reading a class of 300 through the gate's process, beside reading it in this one.

    python benchmarks/intake.py

Each hand-in is the reference, as a folder, a zip or a tar.gz. The two ways take turns; the median round counts.
"""

import os
import statistics
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autograder import course, submission  # noqa: E402
from autograder.intake import Reader, hand_in  # noqa: E402
from autograder.submission import Submission, digest  # noqa: E402

COURSE = course.read()
SIZE, ROUNDS = 300, 5


def make(folder: Path) -> list[Path]:
    files = submission.read(COURSE.solutions).files
    paths = []
    for number in range(SIZE):
        own = files | {"notes/name.md": f"student {number}\n".encode()}
        place = folder / f"student-{number:03}"
        if number % 3 == 0:
            for name, content in own.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
        elif number % 3 == 1:
            place = place.with_suffix(".zip")
            with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in own.items():
                    archive.writestr(name, content)
        else:
            place = place.with_suffix(".tar.gz")
            with tarfile.open(place, "w:gz") as tar:
                tar.add(paths[-2], "work")
        paths.append(place)
    return paths


def here(paths: list[Path]) -> list[Submission]:
    found = []
    for path in paths:
        taken = hand_in.read(os.fsencode(path), None, set(COURSE.config.packages))
        found.append(Submission(str(path), digest(taken.files), taken.files, taken.findings))
    return found


def through_the_gate(paths: list[Path]) -> list[Submission]:
    with Reader(COURSE.config.packages) as reader:
        return [reader.read(path) for path in paths]


def timed(way: Callable, paths: list[Path]) -> tuple[float, list[Submission]]:
    start = time.perf_counter()
    found = way(paths)
    return time.perf_counter() - start, found


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        paths = make(Path(scratch))
        rounds = [(timed(here, paths), timed(through_the_gate, paths)) for _ in range(ROUNDS)]
        assert all(own[1] == gate[1] for own, gate in rounds), "the two ways must read the same"
        own, gate = (statistics.median(each[way][0] for each in rounds) for way in (0, 1))
    print(f"{SIZE} hand-ins: {own:.2f} s in this process, {gate:.2f} s through the gate, its start included")


if __name__ == "__main__":
    main()
