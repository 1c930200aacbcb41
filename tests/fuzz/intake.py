"""Hand-ins that nobody would make by accident, for as long as one likes: archives with hostile members, cut and bent
ones, and folders with everything that a file system knows. Each must be answered within the reader's limits.

    python -c "from tests.fuzz.intake import run; print(run(minutes=30))"
"""

import io
import itertools
import os
import shutil
import tarfile
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from autograder.intake import Reader
from autograder.intake.gate import PATIENCE
from autograder.submission import MAX_FILE, MAX_FILES, MAX_FINDING, MAX_FINDINGS, MAX_TOTAL, Submission, digest

PACKAGES = ["model", "notes", "sample", "tokenizer", "train"]
SECRET = b"what a neighbour wrote"
EXAMPLES_PER_SEED = 50

PARTS = st.sampled_from(["model", "notes", "a.py", "b.md", "..", ".", "", "d" * 300, "é", "e\u0301", "x y", ".hidden"])
NAMES = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.integers(1, 4000).map(lambda depth: "d/" * depth + "a.py"),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20).map(
        lambda text: f"model/{text}.py"
    ),
    st.sampled_from(["../neighbour/model/secret.py", "/etc/passwd", "model/\x1b[2J.py", "C:\\x.py", "model\\x.py"]),
)
CONTENTS = st.one_of(st.binary(max_size=200), st.sampled_from([0, MAX_FILE, MAX_FILE + 1]).map(bytes))
KINDS = [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
KINDS += [tarfile.DIRTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.CONTTYPE, b"?"]
MODES = st.sampled_from([0, 0o100644 << 16, 0o120777 << 16, 0o020666 << 16, 0xFFFFFFFF])
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])


@st.composite
def zips(draw) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(made, "w") as archive:  # "Duplicate name"
        for name, content, mode in draw(st.lists(st.tuples(NAMES, CONTENTS, MODES), max_size=8)):
            info = zipfile.ZipInfo(name[:60_000] or "x")
            info.external_attr, info.compress_type = mode, draw(METHODS)
            archive.writestr(info, content)
    return made.getvalue()


@st.composite
def tars(draw) -> bytes:
    made = io.BytesIO()
    mode = draw(st.sampled_from(["w", "w:gz", "w:bz2", "w:xz"]))
    shape = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    with tarfile.open(fileobj=made, mode=mode, format=shape) as archive:
        for name, content, kind in draw(st.lists(st.tuples(NAMES, CONTENTS, st.sampled_from(KINDS)), max_size=8)):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            member.linkname = draw(st.sampled_from(["", "/etc/passwd", "../neighbour.zip", name[:90]]))
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


@st.composite
def bent(draw, archives) -> bytes:
    """An archive that was cut, had bits flipped, bytes doubled or taken out, or is followed by something else."""
    data = bytearray(draw(archives))
    for _ in range(draw(st.integers(0, 3))):
        place, length = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(1, 40))
        how = draw(st.sampled_from(["cut", "flip", "fill", "double", "take", "append"]))
        if how == "cut":
            del data[place:]
        elif how == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "fill":
            data[place : place + length] = draw(st.sampled_from([b"\0", b"\xff", b"7"])) * length
        elif how == "double":
            data[place:place] = data[place : place + length]
        elif how == "take":
            del data[place : place + length]
        else:
            data += draw(st.binary(max_size=40))
    return bytes(data)


FILE_NAMES = st.sampled_from(["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"])
ARCHIVES = st.tuples(FILE_NAMES, bent(zips() | tars()) | st.binary(max_size=300))
ENTRIES = st.tuples(
    st.sampled_from(["model", "model/a.py", "a.py", "notes/b.md", "data.zip", "b.tar.gz", "d/d/d/c.py", "é.md"]),
    st.sampled_from(["file", "link", "dangling", "loop", "hard", "fifo", "folder", "archive", "locked"]),
)
FOLDERS = st.tuples(st.just("ada"), st.lists(ENTRIES, max_size=8))


def build(place: Path, content: bytes | list[tuple[str, str]], neighbour: Path) -> None:
    """Lays a hand-in down at `place`; of two entries that exclude each other, the first stays."""
    if isinstance(content, bytes):
        place.write_bytes(content)
        return
    place.mkdir()
    for name, kind in content:
        path = place / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not any(parent.is_symlink() for parent in path.parents):  # nothing of the neighbour's is written here
                _build_entry(path, kind, neighbour)
        except OSError:
            continue


def _build_entry(path: Path, kind: str, neighbour: Path) -> None:
    if kind in ("link", "dangling", "loop"):
        path.symlink_to({"link": neighbour, "dangling": "nowhere", "loop": path.name}[kind])
    elif kind == "hard":
        os.link(neighbour / "model" / "hard.py", path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "archive":
        with zipfile.ZipFile(path, "x") as archive:
            archive.writestr("model/packed.py", b"x = 1")
    else:
        with open(path, "xb") as file:
            file.write(b"x = 1")
        if kind == "locked":
            path.chmod(0)


def check(taken: Submission) -> None:
    """What must hold of every submission."""
    assert taken.sha256 == digest(taken.files)
    assert len(taken.files) <= MAX_FILES
    assert sum(map(len, taken.files.values())) <= MAX_TOTAL
    assert len(taken.findings) <= MAX_FINDINGS + 1
    for text in (taken.path, *taken.files, *taken.findings):
        text.encode()
    for name, content in taken.files.items():
        assert len(content) <= MAX_FILE
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))
        assert SECRET not in content or name.endswith(("a.py", "b.md", "c.py", "é.md")), name  # a hard link, by content
    assert all(0 < len(finding) <= MAX_FINDING for finding in taken.findings)


def snapshot(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def examples(number: int, count: int) -> int:
    """Tries `count` hand-ins that `number` stands for. Raises AssertionError, with what is needed to repeat it."""
    tried = itertools.count()
    scratch = Path(tempfile.mkdtemp())
    neighbour = scratch / "neighbour"
    (neighbour / "model").mkdir(parents=True)
    for name in ("hard", "secret"):
        (neighbour / "model" / f"{name}.py").write_bytes(SECRET)
    before = snapshot(neighbour)

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(ARCHIVES | FOLDERS)
    def attempt(made) -> None:
        next(tried)
        name, content = made
        place = scratch / "class" / name
        place.parent.mkdir()
        try:
            build(place, content, neighbour)
            start = time.monotonic()
            check(reader.read(place))
            assert time.monotonic() - start < 2 * PATIENCE
            assert [path.name for path in scratch.iterdir() if path.name not in ("class", "neighbour")] == []
            assert [path.name for path in place.parent.iterdir()] == [name]
        finally:
            shutil.rmtree(place.parent)

    try:
        with Reader(PACKAGES) as reader:
            attempt()
        assert snapshot(neighbour) == before
    except BaseException as error:
        if isinstance(error, Exception):
            raise AssertionError(f"intake fails on seed {number}: examples({number}, {count})") from error
        raise
    finally:
        shutil.rmtree(scratch)
    return next(tried)


def run(minutes: float) -> int:
    """Tries hand-ins until the time is over, and returns how many. Raises AssertionError that names the seed."""
    end, tried = time.monotonic() + 60 * minutes, 0
    for number in itertools.count(int(time.time())):
        tried += examples(number, EXAMPLES_PER_SEED)
        if time.monotonic() >= end:
            return tried
    raise AssertionError("counting ended")
