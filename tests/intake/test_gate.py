"""The reader may die, hang, flood or lie: its hand-in gets a finding, and the next one a reader."""

import os
import subprocess
import sys
import time

import msgspec
import pytest

from autograder.intake import Reader, reader
from autograder.intake.gate import COMMAND, ROOT, ReaderLost, checked, environment
from autograder.intake.messages import MAX_ANSWER
from autograder.submission import MAX_FILE, MAX_TOTAL
from tests.intake.building import OWN, PACKAGES, folder, read, zipped

PRELUDE = "import os, sys, time, struct, msgspec\nsys.stdin.buffer.read(4)\n"
LONGER = (
    f"sys.stdout.buffer.write(struct.pack('>I', {MAX_ANSWER + 1}) + bytes(100)); sys.stdout.flush(); time.sleep(99)"
)
BAD_READERS = {
    "ends at once": "sys.exit(3)",
    "is killed": "os.kill(os.getpid(), 9)",
    "ends in the middle of its answer": "sys.stdout.buffer.write(struct.pack('>I', 1000) + b'abc')",
    "hangs": "time.sleep(99)",
    "hangs in the middle of its answer": "os.write(1, struct.pack('>I', 1000) + b'abc'); time.sleep(99)",
    "says more than it may": LONGER,
    "says what is not an answer": "os.write(1, struct.pack('>I', 3) + b'abc'); time.sleep(99)",
}


@pytest.mark.parametrize("what", BAD_READERS)
def test_a_reader_that(tmp_path, what):
    work = folder(tmp_path / "ada")
    start = time.monotonic()
    with Reader(PACKAGES, command=[sys.executable, "-c", PRELUDE + BAD_READERS[what]], patience=1) as bad:
        taken = bad.read(work)
    assert taken.files == {}
    assert taken.findings[0].startswith("ada could not be read")
    assert time.monotonic() - start < 20


def answer(files, findings=()):
    return msgspec.msgpack.encode({"files": files, "findings": list(findings)})


@pytest.mark.parametrize(
    "body",
    [
        answer({"../x.py": b""}),
        answer({"/x.py": b""}),
        answer({"": b""}),
        answer({"a\0.py": b""}),
        answer({"x.py": bytes(MAX_FILE + 1)}),
        answer({f"{number}.py": bytes(MAX_FILE) for number in range(MAX_TOTAL // MAX_FILE + 1)}),
        answer({f"{number}.py": b"" for number in range(1000)}),
        answer({}, ["x"] * 100),
        answer({"x.py": "text"}),
        b"\x91" * 100_000,
        b"\x82\xa5files\x81\xa2\xff\xfe\xc4\x00\xa8findings\x90",
        b"",
    ],
)
def test_an_answer_that_no_reader_within_its_limits_gives_is_refused(body):
    with pytest.raises(ReaderLost):
        checked(body)


def test_one_reader_serves_many_hand_ins_and_a_lost_one_is_replaced(tmp_path):
    work = folder(tmp_path / "ada")
    with Reader(PACKAGES) as gate:
        assert gate.read(work).files == OWN
        first = gate._process
        assert gate.read(work).files == OWN
        assert gate._process is first
        first.kill()
        assert gate.read(work).files == OWN
        assert gate._process is not first
    assert first.poll() is not None


def test_a_hand_in_that_takes_all_memory_or_time_costs_itself(tmp_path):
    """The limits are real: a reader that is told to compute or to allocate without end is ended by them."""
    code = (
        "import sys\nfrom autograder.intake import hand_in, reader\n"
        "reader.CPU_SECONDS, reader.MEMORY = 1, 300 << 20\n"
        "def endless(path, assignment, packages):\n    while b'time' in path: pass\n    x = []\n"
        "    while True: x.append(bytes(10**7))\n"
        "hand_in.read = endless\nreader.main()\n"
    )
    (tmp_path / "loop.py").write_text(code)
    with Reader(PACKAGES, command=[sys.executable, "-P", str(tmp_path / "loop.py")]) as gate:
        for name in ("time", "memory"):
            assert "its reader ended" in gate.read(tmp_path / name).findings[0]


def test_the_reader_imports_no_torch_and_nothing_from_the_folder_it_runs_in(tmp_path, monkeypatch):
    (tmp_path / "tarfile.py").write_text("raise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", f".{os.pathsep}{os.environ.get('PYTHONPATH', '')}{os.pathsep}")
    code = "import sys; import autograder.intake.reader; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert "-P" in COMMAND
    run = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment())
    assert run.returncode == 0


def test_a_reader_ends_with_the_process_that_asked(tmp_path):
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), cwd=tmp_path)
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    process.stdout.close()


def test_limits_that_are_lower_already_stay(tmp_path):
    code = (
        "import resource\nfrom autograder.intake import reader\n"
        "resource.setrlimit(resource.RLIMIT_AS, (500 << 20, 500 << 20))\nreader.limit()\nreader.begin()\n"
        "assert resource.getrlimit(resource.RLIMIT_AS) == (500 << 20, 500 << 20)\n"
        "assert resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert reader.WALL_SECONDS > reader.CPU_SECONDS


def test_what_one_hand_in_is_does_not_matter_to_the_next(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04" + bytes(1000))
    good = zipped(tmp_path / "good.zip")
    alone = read(good)
    with Reader(PACKAGES) as gate:
        for _ in range(3):
            assert gate.read(tmp_path / "bad.zip").files == {}
            assert gate.read(good) == alone
