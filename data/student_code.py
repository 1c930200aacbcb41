"""Makes a workspace's own code importable in this process: on the learner's machine, by their own hand.

Nothing that grades comes here; graders talk to a jailed worker.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

_entered: set[Path] = set()  # the workspaces that this process has had on its path


def make_importable(work: Path) -> None:
    """Puts the workspace first on the path, in place of another one, and forgets what was imported of its packages.

    The folder stays on the path, because student code may import later on. A workspace that was there before must go:
    what this one lacks would be found there.
    """
    folder = work.resolve()
    _entered.add(folder)
    for entered in _entered:
        forget(entered)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if Path(entry) not in _entered)]
    importlib.invalidate_caches()


@contextlib.contextmanager
def code_of(work: Path) -> Iterator[None]:
    """Makes the packages of a workspace importable for a block; path and modules are then as before."""
    path, modules = list(sys.path), dict(sys.modules)
    make_importable(work)
    try:
        yield
    finally:
        forget(work)
        sys.path[:] = path
        names = packages(work)
        sys.modules.update({name: modules[name] for name in modules if name.partition(".")[0] in names})


def packages(work: Path) -> set[str]:
    return {path.parent.name for path in work.glob("*/*.py")}


def forget(work: Path) -> None:
    """Removes the workspace's packages from the modules that are loaded."""
    names = packages(work)
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]
