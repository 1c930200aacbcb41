"""Shared by all tests: where the real corpus is, what a jail needs, and the rule that CI skips nothing."""

import os
from pathlib import Path

import pytest

from autograder.jail.template import bubblewrap

HAVE_JAIL = bubblewrap() is not None
SHAKESPEARE = os.environ.get("GPT_LADDER_SHAKESPEARE")  # read once: some tests take the variable away for themselves


@pytest.fixture(scope="session")
def jail() -> str:
    """For tests that promise something about the real jail."""
    if not HAVE_JAIL:
        pytest.skip("needs bubblewrap (Debian and Ubuntu: apt-get install bubblewrap)")
    return "bubblewrap"


@pytest.fixture(scope="session")
def shakespeare() -> Path:
    """The real corpus, where a local copy is named."""
    if not SHAKESPEARE:
        pytest.skip("needs GPT_LADDER_SHAKESPEARE=<path of tinyshakespeare.txt>")
    return Path(SHAKESPEARE)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's own course secret or caches."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))


def pytest_sessionfinish(session, exitstatus):
    """With LADDER_FAIL_ON_SKIP set (CI), a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("LADDER_FAIL_ON_SKIP") and skipped and not hasattr(session.config, "workerinput"):
        reporter.write_line(f"{len(skipped)} tests were skipped, and LADDER_FAIL_ON_SKIP is set", red=True)
        session.exitstatus = 1
