"""One workspace at a time is importable, and nothing else on the path suffers."""

import importlib
import sys

import pytest

from data.student_code import code_of, make_importable


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def workspace(folder, **modules):
    """A folder with packages: name -> code of NAME/own.py."""
    for package, code in modules.items():
        (folder / package).mkdir(parents=True)
        (folder / package / "own.py").write_text(code)
    folder.mkdir(exist_ok=True)
    return folder


def test_the_second_workspace_takes_the_place_of_the_first(tmp_path):
    first = workspace(tmp_path / "first", probe_a="x = 1", probe_b="x = 1")
    second = workspace(tmp_path / "second", probe_a="x = 2")
    make_importable(first)
    assert importlib.import_module("probe_a.own").x == importlib.import_module("probe_b.own").x == 1
    make_importable(second)
    assert importlib.import_module("probe_a.own").x == 2
    with pytest.raises(ModuleNotFoundError):  # not what the first one has of that name
        importlib.import_module("probe_b.own")
    make_importable(first)
    assert importlib.import_module("probe_b.own").x == 1


def test_a_workspace_without_code_leaves_the_path_whole(tmp_path):
    before = list(sys.path)
    make_importable(workspace(tmp_path / "empty"))
    assert sys.path[1:] == before


def test_other_folders_stay_on_the_path_whatever_packages_they_hold(tmp_path):
    installed = workspace(tmp_path / "installed", probe_d="x = 4", probe_e="x = 5")
    sys.path.append(str(installed))
    make_importable(workspace(tmp_path / "work", probe_d="x = 6"))
    assert importlib.import_module("probe_d.own").x == 6
    assert importlib.import_module("probe_e.own").x == 5


def test_after_the_block_path_and_modules_are_as_before(tmp_path):
    before = list(sys.path)
    with code_of(workspace(tmp_path / "work", probe_c="x = 3")):
        assert importlib.import_module("probe_c.own").x == 3
    assert sys.path == before
    assert "probe_c" not in sys.modules
