"""Takes away the system calls that a numerics program never needs: less kernel is less to attack.

A denied call fails with EPERM, like one that lacks the privilege. A few fail with ENOSYS, as on a kernel that lacks
them, because libraries have another way then: `clone3`, whose flags a filter cannot see, becomes `clone`, whose flags
are looked at; `flock` becomes a file of its own. A call in a foreign architecture's numbering ends the process.

Nothing is allowed that makes memory which no limit of the worker counts, or that lets two workers leave each other a
message on the files that both can read. docs/threat-model.md says what two workers can still do.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
X32_BIT = 0x40000000  # x86_64 only: the same calls by other numbers
CLONE_NEW_ANYTHING = 0x7E020000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
LOAD, AND, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument has 8 bytes, low word first

# name: its number on x86_64 and on aarch64
CLONE, SOCKET, FCNTL, MADVISE, PRCTL = (56, 220), (41, 198), (72, 25), (28, 233), (157, 167)
MISSING = {"clone3": (435, 435), "flock": (73, 32)}
DENIED = {
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    # other programs, and other processes' insides
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "perf_event_open": (298, 241),
    # large and often attacked parts of the kernel
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "lookup_dcookie": (212, 18),
    "personality": (135, 92), "modify_ldt": (154, None),
    # memory that no limit of a process counts; POSIX shared memory is the small file system at /dev/shm
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "shmdt": (67, 197), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185),
    # what others do with the files and the memory that all workers share
    "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "inotify_rm_watch": (255, 28), "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "mincore": (27, 232),
    "cachestat": (451, 451), "fadvise64": (221, 223), "readahead": (187, 213), "preadv2": (327, 286),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "sysinfo": (99, 179),
    # the machine itself
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "vhangup": (153, 58), "nfsservctl": (180, 42),
    "mknod": (133, None), "mknodat": (259, 33), "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None),
    "sync": (162, 81), "syncfs": (306, 267),
}  # fmt: skip
# Which commands of `fcntl` are left: copies and flags of a descriptor. Locks, leases, watches, owners, hints and the
# sizes of pipes are not.
FCNTL_ALLOWED = {"F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_DUPFD_CLOEXEC": 1030}
# Pages that are pushed out, or merged with equal ones of others, are found so by the others.
MADVISE_DENIED = {"MADV_MERGEABLE": 12, "MADV_COLD": 20, "MADV_PAGEOUT": 21}
PRCTL_DENIED = {"PR_SCHED_CORE": 62, "PR_SET_MEMORY_MERGE": 67}

_libc = ctypes.CDLL(None, use_errno=True)


def program(machine: str) -> bytes | None:
    """The filter for a machine as `os.uname` calls it; None if its system calls are not known here."""
    if machine not in ARCHITECTURES or sys.byteorder != "little":
        return None
    column = list(ARCHITECTURES).index(machine)
    refuse, allow, missing = (_step(RETURN, to) for to in (REFUSE | errno.EPERM, ALLOW, REFUSE | errno.ENOSYS))
    code = [_step(LOAD, ARCHITECTURE), _step(JUMP_IF_EQUAL, ARCHITECTURES[machine], 1, 0), _step(RETURN, KILL)]
    code += [_step(LOAD, NUMBER)]
    if machine == "x86_64":
        code += [_step(JUMP_IF_AT_LEAST, X32_BIT, 0, 1), refuse]
    for table, verdict in ((MISSING, missing), (DENIED, refuse)):
        for numbers in table.values():
            if numbers[column] is not None:
                code += [_step(JUMP_IF_EQUAL, numbers[column], 0, 1), verdict]
    # clone without new namespaces, and sockets between a program's own processes, are for DataLoader and its like
    code += _look_at(CLONE[column], 0, [0], allow, refuse, mask=CLONE_NEW_ANYTHING)
    code += _look_at(SOCKET[column], 0, [socket.AF_UNIX], allow, refuse)
    code += _look_at(FCNTL[column], 1, FCNTL_ALLOWED.values(), allow, refuse)
    code += _look_at(MADVISE[column], 2, MADVISE_DENIED.values(), refuse, allow)
    code += _look_at(PRCTL[column], 0, PRCTL_DENIED.values(), refuse, allow)
    code += [allow]
    return b"".join(code)


def _look_at(
    number: int, argument: int, values: Iterable[int], listed: bytes, other: bytes, mask: int = 0xFFFFFFFF
) -> list[bytes]:
    """Steps for one call: verdict `listed` if its argument (the lower 32 bits) is one of `values`, `other` if not."""
    code = [_step(LOAD, ARGUMENTS + 8 * argument), _step(AND, mask)]
    for value in values:
        code += [_step(JUMP_IF_EQUAL, value, 0, 1), listed]
    code += [other]
    return [_step(JUMP_IF_EQUAL, number, 0, len(code)), *code]


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction of classic BPF; the jumps say how many of the next ones to skip."""
    return struct.pack("=HBBI", operation, if_true, if_false, value)


def install(code: bytes) -> None:
    """Filters this process and all its children from now on. It must have given up new privileges already."""
    buffer = ctypes.create_string_buffer(code, len(code))
    descriptor = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))  # struct sock_fprog
    if _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, descriptor, 0, 0) != 0:
        code_of_error = ctypes.get_errno()
        raise OSError(code_of_error, f"seccomp filter: {os.strerror(code_of_error)}")


def _kernel_can_filter() -> bool:
    """A kernel with filters trips over the missing program, one without them over the mode."""
    return _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0) != 0 and ctypes.get_errno() == errno.EFAULT


PROGRAM = program(os.uname().machine) if _kernel_can_filter() else None  # made once, in the template
