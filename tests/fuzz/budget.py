"""Spends a time budget on properties: a value is drawn, a check either returns or raises."""

import itertools
import secrets
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import hypothesis
from hypothesis import HealthCheck, strategies
from hypothesis.errors import HypothesisWarning

EXAMPLES = 100  # of one round; a round has one seed, by which it can be repeated


class Property(NamedTuple):
    """`check(value)` returns for every value of the strategy, or raises what is wrong."""

    name: str
    values: strategies.SearchStrategy[Any]
    check: Callable[[Any], None]


def spend(fuzzer: str, properties: list[Property], minutes: float) -> int:
    """Tries rounds of every property in turn for so many minutes, one round of each at least; how many examples."""
    end, tried = time.monotonic() + 60 * minutes, 0
    for seed in itertools.count(secrets.randbelow(2**32)):
        for one in properties:
            tried += one_round(fuzzer, one, seed)
        if time.monotonic() > end:
            break
    return tried


def one_round(fuzzer: str, one: Property, seed: int) -> int:
    """EXAMPLES examples that follow from the seed; how many were tried. Raises the shortest failure."""
    tried = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @hypothesis.given(one.values)
    def attempt(value) -> None:
        nonlocal tried
        tried += 1
        one.check(value)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)  # that a large example has a large repr
            attempt()
    except BaseException:
        print(f"To repeat: python -m tests.fuzz repeat {fuzzer} {one.name} {seed}", file=sys.stderr)
        raise
    return tried
