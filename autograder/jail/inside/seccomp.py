"""Takes away the system calls that a numerics program never needs: less kernel is less to attack.

A denied call fails with EPERM, like one that lacks the privilege. `clone3` fails with ENOSYS, because a filter cannot
see its flags; the C library then falls back to `clone`, whose flags are looked at. A call in a foreign architecture's
numbering ends the process.
"""

import ctypes
import errno
import os
import socket
import struct
import sys

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
X32_BIT = 0x40000000  # x86_64 only: the same calls by other numbers
CLONE_NEW_ANYTHING = 0x7E020000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
LOAD, AND, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, whose low words come first

# name: its number on x86_64 and on aarch64
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
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
    "fanotify_init": (300, 262), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18), "memfd_secret": (447, 447), "personality": (135, 92), "modify_ldt": (154, None),
    # the machine itself
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "vhangup": (153, 58), "nfsservctl": (180, 42),
    "mknod": (133, None), "mknodat": (259, 33), "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None),
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def program(machine: str) -> bytes | None:
    """The filter for a machine as `os.uname` calls it; None if its system calls are not known here."""
    if machine not in ARCHITECTURES or sys.byteorder != "little":
        return None
    column = list(ARCHITECTURES).index(machine)
    refuse, allow = _step(RETURN, REFUSE | errno.EPERM), _step(RETURN, ALLOW)
    code = [_step(LOAD, ARCHITECTURE), _step(JUMP_IF_EQUAL, ARCHITECTURES[machine], 1, 0), _step(RETURN, KILL)]
    code += [_step(LOAD, NUMBER)]
    if machine == "x86_64":
        code += [_step(JUMP_IF_AT_LEAST, X32_BIT, 0, 1), refuse]
    code += [_step(JUMP_IF_EQUAL, CLONE3[column], 0, 1), _step(RETURN, REFUSE | errno.ENOSYS)]
    for numbers in DENIED.values():
        if numbers[column] is not None:
            code += [_step(JUMP_IF_EQUAL, numbers[column], 0, 1), refuse]
    # clone without new namespaces, and sockets between a program's own processes, are for DataLoader and its like
    code += [_step(JUMP_IF_EQUAL, CLONE[column], 0, 5), _step(LOAD, FIRST_ARGUMENT), _step(AND, CLONE_NEW_ANYTHING)]
    code += [_step(JUMP_IF_EQUAL, 0, 1, 0), refuse, allow]
    code += [_step(JUMP_IF_EQUAL, SOCKET[column], 0, 4), _step(LOAD, FIRST_ARGUMENT)]
    code += [_step(JUMP_IF_EQUAL, socket.AF_UNIX, 1, 0), refuse, allow]
    code += [allow]
    return b"".join(code)


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
