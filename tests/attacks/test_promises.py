"""The threat model's list of promises names tests that are there."""

import ast
import re

import pytest

from tests.this_course import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text()
SECTION = PAGE.partition("## Promises and their tests\n")[2]
ROWS = [line for line in SECTION.splitlines() if line.startswith("| ") and "::" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_promise_names_a_test_that_is_there(row):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row.split("|")[2])
    assert named
    for path, name in named:
        functions = [
            node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        assert name in functions, path


def test_there_are_promises_and_each_has_one_line():
    assert len(ROWS) > 20
    assert len(ROWS) == len([line for line in SECTION.splitlines() if line.startswith("|")]) - 2
