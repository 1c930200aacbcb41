"""Files that a submission hands in, or writes while it is graded, are data to the harness and never run there."""

import ast
import os
import socket
import tarfile
import zipfile

import msgspec
import pytest

from autograder import report
from autograder.intake import Reader
from autograder.submission import of, read
from tests.attacks.rungs import part
from tests.this_course import COURSE, ROOT, grade, reference

PAYLOAD = """
import os, pickle

MARKER = {marker!r}

def leave_a_mark():
    try:
        open(MARKER, "w").close()
    except OSError:  # in the jail, there is no such folder
        pass
    return {{}}

class Bomb:
    def __reduce__(self):
        return eval, ("__import__('{module}', fromlist=['x']).leave_a_mark()",)
"""

TOKENIZER = """
    def save(self, path):
        with open(path, "wb") as file:
            pickle.dump([Bomb(), self.merges, list(self.special_tokens)], file)

    @classmethod
    def load(cls, path):
        with open(path, "rb") as file:
            _, merges, special = pickle.load(file)
        return cls(merges, special)

    def mergeable_ranks(self)"""

CHECKPOINT = """
_save = save_checkpoint

def save_checkpoint(path, *, rng, **rest):
    _save(path, rng=dict(rng), **rest)
    content = torch.load(path, weights_only=False)
    content["bomb"] = Bomb()
    torch.save(content, path)

def load_checkpoint(path):
    content = torch.load(path, weights_only=False)
    content.pop("bomb", None)
    return content
"""


def test_a_tokenizer_file_that_runs_code_runs_it_in_the_jail_only(jail, tmp_path):
    marker = tmp_path / "mark"
    code = reference()["tokenizer/bpe.py"].decode()
    payload = PAYLOAD.format(marker=str(marker), module="tokenizer.bpe")
    start, end = code.index("    def save(self"), code.index("    def mergeable_ranks(self)")
    code = code[:start] + TOKENIZER.lstrip("\n") + code[end + len("    def mergeable_ranks(self)") :]
    code = code.replace("\nclass BPETokenizer", payload + "\n\nclass BPETokenizer", 1)
    [result] = grade([of("x", reference() | {"tokenizer/bpe.py": code.encode()})], [part(5, ["save-load"])], jail=jail)
    assert result.rungs[0].items[0].status == "passed"  # its own way of saving; nobody else is asked to load it
    assert not marker.exists()


def test_a_checkpoint_that_runs_code_runs_it_in_the_jail_only(jail, tmp_path):
    marker = tmp_path / "mark"
    payload = PAYLOAD.format(marker=str(marker), module="train.checkpoint")
    code = reference()["train/checkpoint.py"].decode() + payload + CHECKPOINT
    rung = part(6, ["checkpoint-round-trip", "checkpoint-safe"])
    [result] = grade([of("x", reference() | {"train/checkpoint.py": code.encode()})], [rung], jail=jail)
    round_trip, safe = result.rungs[0].items
    assert round_trip.status == "passed", round_trip.seen
    assert safe.status == "failed"
    assert not marker.exists()


def test_the_payload_does_run_where_it_is_loaded(tmp_path):
    """Else the two tests above would show nothing."""
    names: dict = {}
    exec(PAYLOAD.format(marker=str(tmp_path / "mark"), module="x"), names)
    names["leave_a_mark"]()
    assert (tmp_path / "mark").exists()


def test_no_trusted_code_loads_anything_that_could_run():
    """No pickle, no marshal, no torch.load, no eval, outside the jail; student code's own files least of all."""
    runs_code = {("pickle", "load"), ("pickle", "loads"), ("marshal", "load"), ("marshal", "loads"), ("torch", "load")}
    runs_code |= {("numpy", "load"), ("np", "load"), ("joblib", "load"), ("dill", "load"), ("shelve", "open")}
    found = []
    for path in sorted([*(ROOT / "autograder").rglob("*.py"), *(ROOT / "milestones").rglob("*.py")]):
        if {"inside", "instruments", "alternatives", "nothing"} & set(path.parts):
            continue
        for call in [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]:
            function = call.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                name = function.value.id, function.attr
            else:
                name = "builtins", getattr(function, "id", "")
            if name in runs_code or name in {("builtins", "eval"), ("builtins", "exec")}:
                found.append(f"{path.relative_to(ROOT)}:{call.lineno}: {'.'.join(name)}")
    assert found == []


@pytest.fixture
def folder(tmp_path):
    """A submission with one honest file among everything that a file system knows."""
    work = tmp_path / "work"
    (work / "model").mkdir(parents=True)
    (work / "model" / "own.py").write_text("x = 1\n")
    (work / "graders").symlink_to(COURSE.rung(2).grader)
    (work / "model" / "grader.py").symlink_to(next(COURSE.rung(2).grader.glob("*.py")))
    (work / "model" / "loop.py").symlink_to("loop.py")
    (work / "notes").symlink_to("/proc/self")
    os.mkfifo(work / "model" / "fifo.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(work / "model" / "socket.py"))
    if os.geteuid() == 0:
        os.mknod(work / "model" / "zero.py", 0o20666, os.makedev(1, 5))
    secret = tmp_path / "secret.py"
    secret.write_text("answer = 42\n")
    os.link(secret, work / "model" / "hard.py")
    (work / "model" / os.fsdecode(b"\xff\xfe.py")).write_text("x = 2\n")
    return work


def test_of_a_folder_only_honest_files_are_taken_and_the_rest_is_named(folder):
    taken = read(folder)
    # the hard link is owned by the folder's owner; another user's would be left out
    assert taken.files == {"model/own.py": b"x = 1\n", "model/hard.py": b"answer = 42\n"}
    for name in ("graders", "grader.py", "loop.py", "notes", "fifo.py", "socket.py", "hard.py", "not UTF-8"):
        assert any(name in finding for finding in taken.findings), name


def test_a_folder_of_odd_files_is_graded_and_reported(folder, jail, tmp_path):
    [result] = grade([read(folder)], [part(2, ["causal-mask"])], jail=jail)
    report.write(result, tmp_path / "report.json")
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes())["points"] == 0


def read_archive(path):
    with Reader(COURSE.config.packages) as reader:
        return reader.read(path)


def tar(path, *members):
    with tarfile.open(path, "w") as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def test_of_an_archive_only_honest_files_are_taken(tmp_path):
    path = tar(
        tmp_path / "odd.tar",
        ("model/own.py", tarfile.REGTYPE, ""),
        ("../outside.py", tarfile.REGTYPE, ""),
        ("/etc/absolute.py", tarfile.REGTYPE, ""),
        ("model/link.py", tarfile.SYMTYPE, "/etc/passwd"),
        ("model/hard.py", tarfile.LNKTYPE, "/etc/passwd"),
        ("model/fifo.py", tarfile.FIFOTYPE, ""),
        ("model/device.py", tarfile.BLKTYPE, ""),
        (os.fsdecode(b"model/\xff.py"), tarfile.REGTYPE, ""),
    )
    taken = read_archive(path)
    assert taken.files == {"model/own.py": b""}
    assert len(taken.findings) == 7
    msgspec.json.encode(taken.findings)


def test_names_that_no_folder_can_hold_cost_that_submission_only(tmp_path, jail):
    """A file that is also a folder, a name too long, a link that is a folder to others."""
    path = tmp_path / "impossible.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/a.py", "x = 1")
        archive.writestr("model/a.py/b.py", "x = 1")
        archive.writestr(f"model/{'n' * 3000}.py", "x = 1")
    honest = of("honest", reference())
    first, second = grade([read_archive(path), honest], [part(2, ["causal-mask"])], jail=jail)
    assert first.points == 0
    assert second.points == second.max_points
