"""Where the host grants a cgroup, it bounds a template with its workers; where it does not, nothing changes."""

from pathlib import Path

import pytest

from autograder.jail import cgroup
from autograder.jail.template import Limits, Template
from autograder.jail.worker import Worker
from tests.this_course import COURSE

LIMITS = Limits(memory_mb=1000, disk_mb=100, processes=10)


@pytest.fixture
def host(tmp_path):
    """A host's files: a login's scope in a slice that hands out memory and pids, as systemd makes them."""
    parent = tmp_path / "unified" / "user.slice"
    (parent / "login.scope").mkdir(parents=True)
    (parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (parent / "cgroup.procs").write_text("")
    (tmp_path / "mounts").write_text(f"tmpfs /tmp tmpfs rw 0 0\ncgroup2 {tmp_path}/unified cgroup2 rw,nosuid 0 0\n")
    (tmp_path / "cgroup").write_text("1:cpu:/\n0::/user.slice/login.scope\n")
    return tmp_path


def place(host):
    return cgroup.place(host / "cgroup", host / "mounts")


def test_the_place_is_beside_the_processs_own_cgroup(host):
    assert place(host) == host / "unified" / "user.slice"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("cgroup", "0::/\n"),  # a container's root: nothing lies beside it
        ("cgroup", "4:memory:/\n"),  # version 1 only
        ("mounts", "tmpfs /tmp tmpfs rw 0 0\n"),
        ("unified/user.slice/cgroup.subtree_control", "hugetlb\n"),
    ],
)
def test_without_such_a_place_there_is_none(host, file, content):
    (host / file).write_text(content)
    assert place(host) is None


def test_a_template_enters_and_its_bounds_follow_its_workers(host, jail, monkeypatch):
    monkeypatch.setattr(cgroup, "place", lambda: host)
    monkeypatch.setattr(cgroup, "REMOVE_SECONDS", 0.0)  # plain files do not go away with the folder
    template = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    [folder] = host.glob("ladder-*")

    def bounds():
        return int((folder / "memory.max").read_text()) >> 20, int((folder / "pids.max").read_text())

    first = Worker(template, {}, LIMITS)
    assert (folder / "cgroup.procs").read_text() == "0"
    assert bounds() == (1024 + 1216, 8 + 12)
    second = Worker(template, {}, LIMITS)
    assert bounds() == (1024 + 2 * 1216, 8 + 2 * 12)
    first.close()
    second.close()
    assert bounds() == (1024, 8)
    template.close()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_a_host_that_refuses_after_all_changes_nothing(host, jail, monkeypatch):
    monkeypatch.setattr(cgroup, "place", lambda: host / "gone")
    template = Template(COURSE.jail_contents, hash_seed=0, jail=jail)
    Worker(template, {}, LIMITS).close()
    template.close()


def test_where_memory_runs_out_for_all_a_worker_goes_first(template):
    worker = Worker(template, {}, Limits())
    scores = [(path / "oom_score_adj").read_text().strip() for path in _descendants(template._process.pid)]
    worker.close()
    assert scores.count("1000") == 1


def _descendants(pid):
    for task in (Path("/proc") / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            yield Path("/proc") / child
            yield from _descendants(child)
