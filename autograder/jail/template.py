"""Starts warm templates (see `inside/serve_template.py`) and asks them for workers.

With bubblewrap the template lives in a read-only root that holds the interpreter, its standard library, the system's
shared libraries and an allowlist of packages, and nothing else: no home, no course, no network. As root, bubblewrap
mounts without a user namespace and each worker becomes an unprivileged user of its own; an ordinary user gets a user
namespace. Without bubblewrap the template is a plain subprocess, which is only fit for one's own code.
"""

import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from autograder.jail import cgroup

HERE = Path(__file__).parent
FIRST_UID, UIDS_PER_PROCESS = 200_000, 512  # more workers than one process has living at a time
START_SECONDS, ANSWER_SECONDS = 120.0, 30.0
LOOK_SECONDS = 0.5  # between looks whether a silent template is alive
CLOSING_SECONDS = 2.0

_numbers = itertools.count(1)  # of all templates of this process, for the two of a twin live at the same time


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a course puts into its jail.

    packages: what student code can import besides the standard library. instruments: a folder of modules that graders
    may build there, or None. operators: for a forbidden name's last part, patterns of the operators behind it.
    allowed: what student code may call of torch in a worker that is watched (see inside/allowed.py).
    """

    packages: tuple[str, ...]
    instruments: Path | None
    operators: dict[str, list[str]]
    allowed: dict


class JailError(Exception):
    """The jail itself could not be set up, or its template died; nothing was learned about a submission."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker may use. Megabytes of address space and of disk, CPU seconds, processes and threads."""

    memory_mb: int = 3072
    disk_mb: int = 256
    cpu_seconds: int = 300
    processes: int = 16


def bubblewrap() -> str | None:
    """The path of a bubblewrap that works here, or None."""
    path = shutil.which("bwrap")
    if path is None:
        return None
    probe = subprocess.run([path, *_namespaces(), "--ro-bind", "/", "/", "true"], capture_output=True)
    return path if probe.returncode == 0 else None


def _namespaces() -> list[str]:
    shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]
    if os.geteuid() != 0:
        return ["--unshare-user", *shared]
    capabilities = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL")
    return [*shared, *(part for name in capabilities for part in ("--cap-add", name))]


def _package_paths(names: Iterable[str]) -> list[Path]:
    """Where the allowlisted packages lie; what is not installed is left out."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        raise JailError("torch is not installed here: make setup")
    site = Path(torch.origin).parent.parent
    paths = (path for name in names for path in (site / name, site / f"{name}.py"))
    return [path for path in paths if path.exists()]


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _arguments(isolated: bool, control_fd: int, contents: Contents) -> str:
    instruments = "/jail/instruments" if isolated else str(contents.instruments)
    return json.dumps(
        {
            "control_fd": control_fd,
            "isolated": isolated,
            "as_root": os.geteuid() == 0,
            "instruments": instruments,
            "operators": contents.operators,
            "allowed": contents.allowed,
        }
    )


def _bubblewrap_command(path: str, control_fd: int, contents: Contents) -> list[str]:
    stdlib = sysconfig.get_path("stdlib")
    binds = {folder: folder for folder in [*_system_libraries(), stdlib, _interpreter()]}
    binds |= {f"/jail/site/{package.name}": str(package) for package in _package_paths(contents.packages)}
    binds["/jail/inside"] = str(HERE / "inside")
    if contents.instruments is not None:
        binds["/jail/instruments"] = str(contents.instruments)
    command = [path, *_namespaces(), "--dev", "/dev", "--proc", "/proc"]
    for folder in sorted({str(parent) for target in binds for parent in Path(target).parents} - {"/"}):
        command += ["--perms", "0755", "--dir", folder]  # bubblewrap would make them 0700, closed to the worker's user
    for target, source in binds.items():
        command += ["--ro-bind", source, target]
    for hidden in _other_packages([*_system_libraries(), stdlib]):
        command += ["--tmpfs", hidden]
    command += ["--dir", "/work", "--tmpfs", "/tmp", "--dir", "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/"]
    return [*command, "--chdir", "/", *_python("/jail/inside", "/jail/site", _arguments(True, control_fd, contents))]


def _system_libraries() -> list[str]:
    """The shared libraries of the system and of Python. Debian keeps them apart from everything else in /usr/lib."""
    apart = sysconfig.get_config_var("MULTIARCH") or ""
    if apart and os.path.isdir(f"/usr/lib/{apart}"):
        folders = [f"/usr/lib/{apart}", f"/lib/{apart}", "/lib64"]
    else:
        folders = ["/usr/lib64", "/lib64", "/usr/lib", "/lib"]
    libpython = os.path.join(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("LDLIBRARY") or "")
    return [path for path in [*folders, "/etc/ld.so.cache", libpython] if os.path.exists(path)]


def _other_packages(shown: Iterable[str]) -> list[str]:
    """Folders of installed packages under what is shown; each is covered by an empty one."""
    patterns = ("site-packages", "dist-packages", "python3*/site-packages", "python3*/dist-packages")
    return [str(path) for folder in shown for pattern in patterns for path in sorted(Path(folder).glob(pattern))]


def _python(inside: str, site: str, arguments: str) -> list[str]:
    start = f"import sys; sys.path[:0] = [{inside!r}, {site!r}]; import serve_template; serve_template.main()"
    return [_interpreter(), "-I", "-S", "-B", "-c", start, arguments]


def _uid(number: int) -> int:
    """A user that no living worker has, of this process or another."""
    return FIRST_UID + os.getpid() * UIDS_PER_PROCESS + number % UIDS_PER_PROCESS


class Template:
    """One warm template process. `hash_seed` is its PYTHONHASHSEED. Starts at once; ready when first used."""

    def __init__(self, contents: Contents, *, hash_seed: int, jail: str):
        self.isolated = jail == "bubblewrap"
        self._resources = contextlib.ExitStack()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._resources.callback(self._control.close)
        if self.isolated:
            path = bubblewrap()
            if path is None:
                raise JailError("bubblewrap is not usable here (Debian and Ubuntu: apt-get install bubblewrap)")
            command = _bubblewrap_command(path, theirs.fileno(), contents)
        else:
            site = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="ladder-site-")))
            for package in _package_paths(contents.packages):
                (site / package.name).symlink_to(package)
            command = _python(str(HERE / "inside"), str(site), _arguments(False, theirs.fileno(), contents))
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/work" if self.isolated else tempfile.gettempdir(),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PYTHONHASHSEED": str(hash_seed),
        }
        self._cgroup = cgroup.granted() if self.isolated else None
        self._living: dict[int, Limits] = {}
        self._orders = itertools.count(1)
        self._abandoned: list[int] = []  # workers whose start was broken off; they may be there
        self._log = self._resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                preexec_fn=self._cgroup.enter if self._cgroup else None,
            )
        self._ready = False

    def spawn(self, connection: socket.socket, output_fd: int, folder: str, limits: Limits) -> int:
        """Forks a worker that serves `connection` and prints into `output_fd`; returns its number.

        As root, each worker gets a user that no other living one has. Raises JailError if the template is gone.
        """
        while self._abandoned:
            self.end(self._abandoned.pop(), 0.0)
        number = next(_numbers)
        self._living[number] = limits
        self._bound()
        order = {
            "do": "spawn",
            "number": number,
            "limits": msgspec.to_builtins(limits),
            "uid": _uid(number) if os.geteuid() == 0 else None,
            "folder": folder,
        }
        try:
            answer = self._ask(order, [connection.fileno(), output_fd])
        except BaseException:  # an alarm, too, that gives up on the item
            self._abandoned.append(number)
            raise
        if "error" in answer:
            raise JailError(f"the jail could not start a worker: {answer['error']}")
        return number

    def end(self, number: int, grace: float) -> int:
        """Ends a worker and all its processes; returns its exit code (256 - n for a death by signal n).

        One that is about to end by itself has `grace` seconds for that. Raises JailError if the template is gone.
        """
        code = self._ask({"do": "end", "number": number, "grace": grace}, [])["exit"]
        del self._living[number]
        self._bound()
        return code

    def _bound(self) -> None:
        if self._cgroup is not None:
            self._cgroup.allow(self._living.values())

    def _ask(self, order: dict, descriptors: list[int]) -> dict:
        if not self._ready:
            self._answer(0, START_SECONDS)
            self._ready = True
        order["order"] = next(self._orders)
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], descriptors)
        except OSError:  # closed by the other side
            raise self._gone() from None
        return self._answer(order["order"], ANSWER_SECONDS)

    def _answer(self, order: int, seconds: float) -> dict:
        """The template's answer to an order. Raises JailError soon after its death, and after `seconds` if it lives.

        Answers to earlier orders, which somebody was kept from waiting for, are passed over.
        """
        deadline = time.monotonic() + seconds
        self._control.settimeout(LOOK_SECONDS)
        while True:
            ended = self._process.poll() is not None
            try:
                data = self._control.recv(1 << 16)
            except TimeoutError:
                if ended or time.monotonic() > deadline:
                    raise self._gone() from None
            except OSError:
                raise self._gone() from None
            else:
                if not data:
                    raise self._gone()
                answer = json.loads(data)
                if answer["order"] == order:
                    return answer

    def _gone(self) -> JailError:
        """The error for a template that died or hangs. It is dead afterwards, so that nobody waits for it again."""
        self._process.kill()
        self._log.seek(0)
        told = self._log.read().decode(errors="replace").strip()[-2000:]
        return JailError(f"the jail's template process ended or hangs; it said:\n{told or '(nothing)'}")

    def close(self) -> None:
        self._control.close()
        self._process.terminate()
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:  # stopped: only a kill reaches it
            self._process.kill()
            self._process.wait()
        if self._cgroup is not None:
            self._cgroup.remove()
        self._resources.close()
