"""Bounds a template and all its workers together by a cgroup (version 2), if the host grants one.

Each worker has limits of its own; but limits of memory hold per process, and a worker may have several. A cgroup counts
them together, and their files in memory. It is granted where the cgroup next above this process's own is writable and
hands out memory and pids: an ordinary login under systemd, for one. Elsewhere nothing changes.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Iterable
from pathlib import Path

OWN_MB, OWN_PROCESSES = 1024, 8  # the template itself, bubblewrap, and what starts and waits for a worker
PER_WORKER_MB, PER_WORKER_PROCESSES = 16, 2  # /dev/shm; the process that waits for it
NEEDED = {"memory", "pids"}
REMOVE_SECONDS = 2.0

_numbers = itertools.count(1)


def place(cgroup_file: Path = Path("/proc/self/cgroup"), mounts_file: Path = Path("/proc/mounts")) -> Path | None:
    """The folder in which this process may make a cgroup beside its own, or None."""
    try:
        mounts = [line.split()[1] for line in mounts_file.read_text().splitlines() if line.split()[2] == "cgroup2"]
        own = next(line[3:] for line in cgroup_file.read_text().splitlines() if line.startswith("0::"))
        parent = (Path(mounts[0]) / own.strip("/")).parent
        handed_out = set((parent / "cgroup.subtree_control").read_text().split())
    except (OSError, IndexError, StopIteration):
        return None
    beside = own.strip("/") != "" and os.access(parent / "cgroup.procs", os.W_OK) and os.access(parent, os.W_OK)
    return parent if beside and handed_out >= NEEDED else None


def granted() -> "Cgroup | None":
    parent = place()
    try:
        return Cgroup(parent) if parent is not None else None
    except OSError:  # the host has an opinion that its files do not show
        return None


class Cgroup:
    """One cgroup under `parent`."""

    def __init__(self, parent: Path):
        self.folder = parent / f"ladder-{os.getpid()}-{next(_numbers)}"
        self.folder.mkdir()
        with contextlib.suppress(OSError):  # a kernel may do without swap accounting
            (self.folder / "memory.swap.max").write_text("0")

    def enter(self) -> None:
        """Puts the current process, and what it will start, into the cgroup."""
        with contextlib.suppress(OSError):  # see `granted`
            (self.folder / "cgroup.procs").write_text("0")

    def allow(self, workers: Iterable) -> None:
        """Room for the template and workers with these limits (`template.Limits`)."""
        workers = list(workers)
        megabytes = OWN_MB + sum(each.memory_mb + 2 * each.disk_mb + PER_WORKER_MB for each in workers)
        (self.folder / "memory.max").write_text(str(megabytes << 20))
        processes = OWN_PROCESSES + sum(each.processes + PER_WORKER_PROCESSES for each in workers)
        (self.folder / "pids.max").write_text(str(processes))

    def remove(self) -> None:
        """Ends what is left in it, and the cgroup."""
        deadline = time.monotonic() + REMOVE_SECONDS
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")
        while self.folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # busy until the last process is gone
                self.folder.rmdir()
            time.sleep(0.01)
