"""How much memory this process, which judges, takes while it is lied to. Only Linux tells; elsewhere it reads as 0."""

from pathlib import Path

OWN = Path("/proc/self")
MEBIBYTE = 1 << 10  # in KiB, as the kernel counts
MOST = 700 * MEBIBYTE  # one answer of 64 MiB, taken apart and looked at


def forget_peak() -> int:
    """Begins a new measurement; returns the size in KiB to begin with."""
    if OWN.exists():
        (OWN / "clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """The largest size in KiB since `forget_peak`."""
    lines = (OWN / "status").read_text().splitlines() if OWN.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
