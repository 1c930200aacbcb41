"""Hostile submissions. Each `attack()` is called in place of two functions of rung 2, right after import.

Whatever an attack finds that it should not have, it tells by raising RuntimeError("LEAK: …"), so that the test sees it
in the verdict. An attack that returns a value hopes that it passes.
"""

from tests.attacks.catalogue import (
    between_items,
    descriptors,
    exhausting,
    looking,
    network,
    objects,
    odd_objects,
    patching,
    privileges,
    processes,
    raising,
    reading,
    seeds,
    tensors,
    using_up,
    values,
    wire,
)  # fmt: skip

PREAMBLE = """
import builtins, ctypes, gc, io, os, resource, signal, socket, struct, subprocess, sys, tempfile, threading, time
import torch
from torch import nn

def leak(what):
    raise RuntimeError("LEAK: " + repr(what)[:300])
"""

CALLED = """
def causal_average(x): return attack(x)
def causal_mask(T, device=None): return attack(T)
"""

ATTACKS: dict[str, str] = {
    **reading.ATTACKS,
    **network.ATTACKS,
    **objects.ATTACKS,
    **wire.ATTACKS,
    **exhausting.ATTACKS,
    **privileges.ATTACKS,
    **between_items.ATTACKS,
    **seeds.ATTACKS,
}

# These are called in place of causal_mask alone, which is cheaper.
ON_ONE_ITEM: dict[str, str] = {
    **tensors.ATTACKS,
    **values.ATTACKS,
    **odd_objects.ATTACKS,
    **raising.ATTACKS,
    **descriptors.ATTACKS,
    **processes.ATTACKS,
    **using_up.ATTACKS,
    **looking.ATTACKS,
    **patching.ATTACKS,
}

# Files that a submission brings along in the hope that something loads them.
PLANTED = {
    "conftest.py": b"import pytest\ndef pytest_runtest_makereport(item, call): raise SystemExit(0)\n",
    "sitecustomize.py": b"import builtins; builtins.PLANTED = True\n",
    "usercustomize.py": b"import builtins; builtins.PLANTED = True\n",
    "torch.py": b"raise RuntimeError('LEAK: torch was shadowed')\n",
    "numpy.py": b"raise RuntimeError('LEAK: numpy was shadowed')\n",
    "msgspec.py": b"raise RuntimeError('LEAK: msgspec was shadowed')\n",
    "wire.py": b"raise RuntimeError('LEAK: the wire was shadowed')\n",
    "random.py": b"raise RuntimeError('LEAK: random was shadowed')\n",
    "pytest.ini": b"[pytest]\naddopts = --collect-only\n",
    "autograder/__init__.py": b"raise RuntimeError('LEAK: the harness was shadowed')\n",
    "milestones/hidden/__init__.py": b"raise RuntimeError('LEAK: the graders\\' helpers were shadowed')\n",
}
