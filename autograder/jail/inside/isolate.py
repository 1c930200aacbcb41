"""Turns a freshly forked process into a place where untrusted code may run.

`new_namespaces` and `enter` give the process new mount, network, ipc, uts and pid namespaces, a session and process
group of its own, a private /work, /tmp and /dev/shm, no /proc, no terminals, resource limits, an unprivileged user
without capabilities, no way to gain new privileges, and fewer system calls.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
from collections.abc import Iterable

import seccomp

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 0x1000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
LAST_CAPABILITY = 40
CAPABILITY_VERSION_3 = 0x20080522
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")  # bubblewrap binds the machine's own
QUEUED_SIGNALS = 128  # counted per user, not per worker, if the limit is higher than what one worker may have

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(kind, target, flags, options=""):
    _check(
        _libc.mount(kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {kind} on {target}",
    )


def descriptors() -> list[int]:
    """What is open, however much. The limit says nothing: it may be lower than what is open, or unlimited."""
    return [int(name) for name in os.listdir("/dev/fd")]


def close(opened: Iterable[int]) -> None:
    for descriptor in opened:
        with contextlib.suppress(OSError):  # what listed them is closed already
            os.close(descriptor)


def new_namespaces(as_root: bool) -> None:
    """Leaves the shared namespaces; the pid namespace holds from the next fork on."""
    flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(flags if as_root else flags | CLONE_NEWUSER), "unshare")
    if not as_root:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)


def enter(limits: dict, uid: int | None) -> None:
    """Closes the door behind the current process. `uid` is the user to become, None to stay (user namespace)."""
    os.setsid()  # kill(0, …) reaches a group even beyond the pid namespace
    owner = os.getuid() if uid is None else uid
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory runs out for all, this process goes first
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "make mounts private")
    private = MS_NOSUID | MS_NODEV
    _mount("tmpfs", "/work", private, f"size={limits['disk_mb']}m,nr_inodes=20000,mode=0700,uid={owner}")
    _mount("tmpfs", "/tmp", private, f"size={limits['disk_mb']}m,nr_inodes=20000,mode=1777")
    _mount("tmpfs", "/dev/shm", private, "size=16m,nr_inodes=1000,mode=1777")
    for folder in ("/proc", "/dev/pts"):  # a terminal that one worker opens would be seen by all
        _mount("tmpfs", folder, private | MS_RDONLY, "size=4k,mode=0555")
    for name in DEVICES:
        _fix_times(f"/dev/{name}")
    drop_privileges(uid)
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "die with the template")
    set_limits(limits | {"processes": limits["processes"] + (uid is None)})  # its guardian counts, too, if not root's
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (QUEUED_SIGNALS, QUEUED_SIGNALS))
    if seccomp.PROGRAM is not None:
        seccomp.install(seccomp.PROGRAM)


def _fix_times(device: str) -> None:
    """A device can be written but its times, which are the same for all who have it, can't be set."""
    kept = os.statvfs(device).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    flags = ctypes.c_ulong(MS_BIND | MS_REMOUNT | MS_RDONLY | kept)
    _check(_libc.mount(b"none", device.encode(), None, flags, None), f"make {device} read-only")


def drop_privileges(uid: int | None) -> None:
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL past the kernel's last one is fine
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "drop capabilities")
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "not dumpable")


def set_limits(limits: dict) -> None:
    """Resource limits that hold without namespaces too (the number of processes only where the user is the jail's)."""
    megabyte = 1 << 20
    for name, value in {
        "RLIMIT_AS": limits["memory_mb"] * megabyte,
        "RLIMIT_FSIZE": limits["disk_mb"] * megabyte,
        "RLIMIT_CPU": limits["cpu_seconds"],
        "RLIMIT_NOFILE": 128,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NPROC": limits["processes"],
    }.items():
        if value is not None and hasattr(resource, name):  # not every system has every limit
            resource.setrlimit(getattr(resource, name), (value, value))
