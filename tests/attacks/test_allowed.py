"""The course's list of what may be called of torch names every public name of the torch that is pinned."""

import importlib
import types

import pytest
import torch
import torch.jit

from tests.this_course import COURSE

ALLOWED, REFUSED = COURSE.allowed.allowed, COURSE.allowed.refused


def public(place: str) -> set[str]:
    """The callable public names of a module of torch, or all of torch.Tensor's, that are torch's own."""
    owner = torch.Tensor if place == "torch.Tensor" else importlib.import_module(place)
    found = set()
    for name in dir(owner):
        value = getattr(owner, name, None)
        is_public = not name.startswith("_") or (place == "torch.Tensor" and name.startswith("__"))
        if not is_public or isinstance(value, types.ModuleType) or not callable(value):
            continue
        home = str(getattr(value, "__module__", None) or "torch").partition(".")[0]
        borrowed = place != "torch" and name in ("Tensor", "Any")
        if place == "torch.Tensor" or (home in ("torch", "builtins") and not borrowed):
            found.add(name)
    return found


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_every_public_name_is_allowed_or_refused(place):
    """An upgrade of torch that adds a name fails here: then somebody decides."""
    listed = {*ALLOWED[place], *REFUSED.get(place, ())}
    assert sorted(public(place) - listed) == [], "neither allowed nor refused"
    assert sorted(listed - public(place)) == [], "listed, but torch has no such name"


def test_no_name_is_both():
    assert {place: both for place in ALLOWED if (both := set(ALLOWED[place]) & set(REFUSED.get(place, ())))} == {}
