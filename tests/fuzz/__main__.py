"""`python -m tests.fuzz MINUTES` shares the minutes out over all fuzzers, and shows how far they are.

`python -m tests.fuzz repeat FUZZER PROPERTY SEED` repeats the round that a failure has named.
"""

import importlib
import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.budget import one_round
from tests.fuzz.fuzzers import fuzzers

SLICE = 0.25  # minutes that a fuzzer has in turn


def fuzz(minutes: float) -> None:
    tried = dict.fromkeys(fuzzers(), 0)
    start, end = time.monotonic(), time.monotonic() + 60 * minutes
    columns = TextColumn("{task.description:8}"), BarColumn(), TextColumn("{task.fields[tried]:,} examples")
    with Progress(*columns, TimeRemainingColumn()) as progress:
        tasks = {name: progress.add_task(name, total=minutes, tried=0) for name in tried}
        while time.monotonic() < end:
            for name in tried:
                left = (end - time.monotonic()) / 60 / len(tried)
                tried[name] += importlib.import_module(f"tests.fuzz.{name}").run(max(0.0, min(SLICE, left)))
                progress.update(tasks[name], completed=(time.monotonic() - start) / 60, tried=tried[name])
    print(", ".join(f"{name}: {count:,} examples" for name, count in tried.items()) + ": no failure")


def repeat(fuzzer: str, name: str, seed: str) -> None:
    module = importlib.import_module(f"tests.fuzz.{fuzzer}")
    one_round(fuzzer, next(one for one in module.PROPERTIES if one.name == name), int(seed))
    print("no failure")


if __name__ == "__main__":
    if sys.argv[1] == "repeat":
        repeat(*sys.argv[2:])
    else:
        fuzz(float(sys.argv[1]))
