"""How much memory this process, which judges, takes while it is lied to."""

from pathlib import Path

MEBIBYTE = 1 << 10  # in KiB, as the kernel counts
MOST = 700 * MEBIBYTE  # one answer of 64 MiB, taken apart and looked at


def forget_peak() -> int:
    """Begins a new measurement; returns the size in KiB to begin with."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """The largest size in KiB since `forget_peak`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])
