"""Whatever is handed in, each item gets a verdict of its own, in words for the person who wrote it."""

import os

import pytest

from autograder import submission
from autograder.submission import of
from tests.this_course import COURSE, grade, reference

CAUSAL_MASK = """
import torch
from torch import nn
{before}
def causal_average(x):
    return x.cumsum(-2) / torch.arange(1, x.shape[-2] + 1, dtype=x.dtype)[:, None]
def causal_mask({signature}):
    {body}
"""


def submitted(body="return torch.ones(T, T, device=device).tril().bool()", signature="T, device=None", before=""):
    text = CAUSAL_MASK.format(body=body, signature=signature, before=before)
    return of("bad", reference() | {"model/attention.py": text.encode()})


def without(file):
    files = reference()
    del files[file]
    return of("bad", files)


CASES = {
    "right": (submitted(), "passed", ""),
    "empty directory": (of("empty", {}), "missing", "model/"),
    "missing file": (without("model/attention.py"), "missing", "the file model/attention.py is missing"),
    "missing name": (
        of("bad", reference() | {"model/attention.py": b"import torch\n"}),
        "missing",
        "model/attention.py does not define `causal_mask`",
    ),
    "syntax error": (submitted("return ((("), "crashed", "model/attention.py:8"),
    "import error": (submitted(before="import not_there"), "crashed", "model/attention.py:4: ModuleNotFoundError"),
    "not Python": (
        of("bad", reference() | {"model/attention.py": bytes(range(256))}),
        "crashed",
        "model/attention.py",
    ),
    "wrong signature": (submitted("return torch.ones(3, 3)", signature=""), "crashed", "TypeError"),
    "returns None": (submitted("pass"), "failed", "None"),
    "returns NaN": (submitted("return torch.full((T, T), float('nan'))"), "failed", "bool"),
    "wrong shape": (submitted("return torch.ones(T, T + 1).bool()"), "failed", "shape"),
    "wrong dtype": (submitted("return torch.ones(T, T).tril()"), "failed", "float32"),
    "prints megabytes": (submitted("[print('x' * 999) for _ in range(10**5)]"), "crashed", "remove the print"),
    "never ends": (submitted("import time; time.sleep(1000)"), "timeout", "time limit"),
    "allocates without end": (submitted("x = []\n    while True: x.append(bytes(10**8))"), "crashed", "MemoryError"),
    "sys.exit": (submitted("import sys; sys.exit(3)"), "crashed", "SystemExit"),
    "os._exit": (submitted("import os; os._exit(3)"), "crashed", "exit code 3"),
    "raises": (submitted("raise KeyError('mask')"), "crashed", "model/attention.py:8: KeyError: 'mask'"),
    "raises from a hostile exception": (
        submitted(
            "raise Odd()",
            before="class Odd(Exception):\n    def __str__(self): raise SystemExit",
        ),
        "crashed",
        "could not be read",
    ),
    "segmentation fault": (submitted("import ctypes; ctypes.string_at(0)"), "crashed", "segmentation fault"),
    "forgets the import": (submitted("return jnp.tril(T)"), "crashed", "NameError"),
}


@pytest.fixture(scope="module")
def reports(jail):
    rung = COURSE.rung(2)
    results = grade([work for work, _, _ in CASES.values()], [rung], jail=jail, seed=7)
    return dict(zip(CASES, results, strict=True))


def item(report, name):
    return next(item for item in report.rungs[0].items if item.id == name)


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_bad_submission_gets_its_own_clear_verdict(reports, case):
    _, status, words = CASES[case]
    mask = item(reports[case], "causal-mask")
    assert (mask.status, words in mask.seen) == (status, True), mask.seen


@pytest.mark.parametrize(
    "case", [case for case, (_, status, _) in CASES.items() if status in ("failed", "timeout") or case == "os._exit"]
)
def test_the_other_items_are_still_graded(reports, case):
    assert item(reports[case], "causal-average").status == "passed"


def test_an_import_that_hangs_costs_its_time_once(jail):
    hang = submitted(before="import time; time.sleep(1000)")
    [report] = grade([hang], [COURSE.rung(2)], jail=jail, seed=7)
    items = report.rungs[0].items
    limit = max(item.seconds for item in COURSE.rung(2).items)
    named = [item for item in items if item.status == "timeout"]
    assert len(named) > 5
    assert all("importing model/attention.py" in item.seen for item in named)
    assert report.rungs[0].seconds < limit + 5


def test_a_folder_that_is_none_is_unusable(tmp_path):
    with pytest.raises(submission.UnusableInput, match="make milestone-1"):
        submission.read(tmp_path / "nowhere")


def test_links_fifos_and_large_files_are_named_and_no_link_is_followed(tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("x = 1")
    work = tmp_path / "work"
    work.mkdir()
    (work / "fine.py").write_text("y = 2")
    (work / "link.py").symlink_to(secret)
    os.link(secret, work / "hard.py")
    (work / "folder").symlink_to(tmp_path)
    os.mkfifo(work / "fifo.py")
    (work / "large.py").write_bytes(b"#" * (2 << 20))
    read = submission.read(work)
    assert set(read.files) == {"fine.py", "hard.py"}
    assert sorted(finding.split()[0] for finding in read.findings) == [
        "fifo.py",
        "folder",
        "hard.py",  # taken, since it could be the one that others linked to, and named
        "large.py",
        "link.py",
    ]
