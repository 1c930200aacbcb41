"""A few seconds of every fuzzer; `make fuzz` spends more."""

import importlib

import pytest

from tests.fuzz.fuzzers import fuzzers

MINUTES = 0.1


@pytest.mark.parametrize("name", fuzzers())
def test_a_fuzzer_finds_nothing(name):
    assert importlib.import_module(f"tests.fuzz.{name}").run(MINUTES) > 0


def test_there_are_fuzzers():
    assert {"reports", "wire"} <= set(fuzzers())
