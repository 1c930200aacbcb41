"""Makes a workspace's own code importable in this process: on the learner's machine, by their own hand.

Nothing that grades comes here; graders talk to a jailed worker.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path


def make_importable(work: Path) -> None:
    """Puts the workspace first on the path, in place of another one, and forgets what was imported of its packages.

    The folder stays on the path, because student code may import later on.
    """
    forget(work)
    names = packages(work)
    others = [entry for entry in sys.path if not all((Path(entry) / name).is_dir() for name in names)]
    sys.path[:] = [str(work.resolve()), *others]
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
