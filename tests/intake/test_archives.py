"""Whatever an archive is made of, reading it gives the honest files and a finding for each of the others."""

import bz2
import gzip
import io
import os
import random
import struct
import tarfile
import zipfile
import zlib

import pytest

from autograder.intake import archives, hand_in
from autograder.submission import MAX_DEPTH, MAX_FINDINGS
from tests.intake.building import OWN, PACKAGES, folder, only_finding, read, tarred, zipped


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_every_kind_of_archive_is_read_as_the_folder_in_it(tmp_path, suffix):
    mode = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}.get(suffix, "w")
    files = {"model/own.py": b"x = 1\n", "notes/a.md": "é\n".encode()}
    write = zipped if suffix == ".zip" else lambda path, files: tarred(path, files, mode)
    plain = read(folder(tmp_path / "plain", files))
    for number, top in enumerate(("", "ada/", "a/b/c/")):
        taken = read(write(tmp_path / f"{number}{suffix}", {top + name: content for name, content in files.items()}))
        assert (taken.files, taken.sha256, taken.findings) == (plain.files, plain.sha256, [])


def test_an_archive_cannot_write_or_read_outside_itself(tmp_path):
    path = tmp_path / "slip.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.py", "x")
        archive.writestr("/etc/absolute.py", "x")
        archive.writestr("model/own.py", "x = 1")
        link = zipfile.ZipInfo("model/link.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    taken = read(path)
    assert taken.files == {"model/own.py": b"x = 1"}
    assert len(taken.findings) == 3


def test_a_tar_with_links_and_devices_is_read_without_them(tmp_path):
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("sym", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("dev", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(f"model/{name}.py")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("model/own.py")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"x = 1"))
    taken = read(path)
    assert taken.files == {"model/own.py": b"x = 1"}
    assert len(taken.findings) == 3


def test_a_damaged_member_of_a_zip_costs_itself_and_is_named(tmp_path):
    noise = random.Random(1).randbytes(3000).hex().encode()
    path = zipped(tmp_path / "damaged.zip", {"model/broken.py": noise, "model/own.py": b"x = 1\n"})
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)  # in the middle of the first member's deflate stream
    path.write_bytes(data)
    taken = read(path)
    assert taken.files == OWN
    assert "model/broken.py is damaged" in only_finding(taken)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz")])
def test_a_tar_that_was_cut_is_a_finding(tmp_path, suffix, mode, keep):
    noise = random.Random(1)
    files = {f"model/{name}.py": noise.randbytes(4000).hex().encode() for name in "abcdef"}
    path = tarred(tmp_path / f"cut{suffix}", files, mode)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    taken = read(path)
    assert "cut.tar" in only_finding(taken)
    assert all(files[name] == content for name, content in taken.files.items())


def test_a_tar_with_a_damaged_header_is_a_finding_not_an_end(tmp_path):
    path = tarred(tmp_path / "damaged.tar", {"model/a.py": b"a", "model/b.py": b"b"})
    data = bytearray(path.read_bytes())
    data[1024 + 10] ^= 0xFF
    path.write_bytes(data)
    taken = read(path)
    assert taken.files == {"model/a.py": b"a"}
    assert "bad header" in only_finding(taken)


def test_a_packed_tar_whose_checksum_is_wrong_is_a_finding(tmp_path):
    path = tarred(tmp_path / "flipped.tar.gz", OWN, "w:gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert "CRC" in only_finding(read(path))


@pytest.mark.parametrize("name", ["empty.zip", "empty.tar", "empty.tar.gz"])
def test_an_empty_file_is_not_an_archive_and_the_finding_says_so(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert only_finding(read(tmp_path / name)) == f"{name} cannot be read as an archive: it is empty"


def test_a_name_that_says_utf8_and_is_not_is_a_finding(tmp_path):
    path = zipped(tmp_path / "name.zip", {"model/é.py": b"x"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    taken = read(path)
    assert taken.files == {}
    assert "name.zip cannot be read" in only_finding(taken)


def test_an_encrypted_member_is_a_finding(tmp_path):
    path = zipped(tmp_path / "locked.zip", {"model/secret.py": b"x", "model/own.py": b"x = 1\n"}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    path.write_bytes(data)
    taken = read(path)
    assert taken.files == OWN
    assert "encrypted" in only_finding(taken)


def test_thousands_of_nested_folders_are_a_finding(tmp_path):
    deep = "/".join(["d"] * 3000)
    for taken in (
        read(zipped(tmp_path / "deep.zip", {f"{deep}/a.py": b"x"} | OWN)),
        read(tarred(tmp_path / "deep.tar", {f"{deep}/a.py": b"x"} | OWN)),
        read(zipped(tmp_path / "only.zip", {f"{deep}/a.py": b"x"})),
    ):
        assert set(taken.files) <= set(OWN)
        assert f"more than {MAX_DEPTH} folders deep" in only_finding(taken)


def test_names_that_no_folder_can_hold_are_left_out(tmp_path):
    files = {"model/a.py": b"1", "model/a.py/b.py": b"2", f"model/{'n' * 300}.py": b"3", "model/\x07.py": b"4"}
    taken = read(tarred(tmp_path / "names.tar", files))
    assert taken.files == {"model/a.py": b"1"}
    assert len(taken.findings) == 3
    assert max(map(len, taken.findings)) < 200


def test_of_a_name_that_is_there_twice_the_later_file_counts(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/own.py", b"first")
        archive.writestr("./model/own.py", b"x = 1\n")
    taken = read(path)
    assert taken.files == OWN
    assert "twice" in only_finding(taken)


def test_ten_findings_are_shown_and_the_rest_is_counted(tmp_path):
    taken = read(zipped(tmp_path / "many.zip", {f"../{number}.py": b"x" for number in range(33)}))
    assert len(taken.findings) == MAX_FINDINGS + 1
    assert taken.findings[-1] == "and 23 more"


def test_more_members_than_anybody_hands_in_are_counted_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 20)
    files = {f"model/{number}.bin": b"" for number in range(20)} | {"model/late.py": b"x"}
    for path in (zipped(tmp_path / "many.zip", files), tarred(tmp_path / "many.tar", files)):
        taken = hand_in.read(os.fsencode(path), None, set(PACKAGES))
        assert taken.files == {}
        assert "20" in only_finding(taken)


def test_a_bomb_is_left_out_whatever_it_is_made_of(tmp_path):
    taken = read(zipped(tmp_path / "bomb.zip", {"model/bomb.py": bytes(50 << 20)} | OWN))
    assert taken.files == OWN
    assert "model/bomb.py has more than" in only_finding(taken)
    for unpacker, name in ((gzip.open, "bomb.tar.gz"), (bz2.open, "bomb.tar.bz2")):
        with unpacker(tmp_path / name, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
            for member, size in (("model/own.py", 6), ("data/zeros.bin", 40 << 20), ("model/late.py", 6)):
                about = tarfile.TarInfo(member)
                about.size = size
                archive.addfile(about, io.BytesIO(b"x = 1\n" if size == 6 else bytes(size)))
        taken = read(tmp_path / name)
        assert taken.files == OWN
        assert "unpacks to more than" in only_finding(taken)


def test_a_member_that_lies_about_its_size_costs_itself(tmp_path):
    """Its header says 6 bytes; bzip2 makes 64 MiB of it."""
    path = zipped(tmp_path / "lies.zip", {"model/lies.py": bytes(64 << 20)} | OWN, zipfile.ZIP_BZIP2)
    data = path.read_bytes().replace(struct.pack("<L", 64 << 20), struct.pack("<L", 6))
    path.write_bytes(data.replace(struct.pack("<L", zlib.crc32(bytes(64 << 20))), struct.pack("<L", 0)))
    taken = read(path)
    assert taken.files == OWN
    assert "model/lies.py" in only_finding(taken)


def test_a_sparse_file_and_a_negative_size_end_nothing(tmp_path):
    sparse = tarfile.TarInfo("model/sparse.py")
    sparse.type, sparse.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    negative = bytearray(tarfile.TarInfo("model/negative.py").tobuf(tarfile.GNU_FORMAT))
    negative[124:136] = b"\xff" * 11 + b"\x00"
    for block in (header, negative):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        path = tmp_path / "odd.tar"
        path.write_bytes(bytes(block) + bytes(1024))
        taken = read(path)
        assert taken.files == {}
        assert taken.findings


def test_what_is_called_zip_and_is_a_tar_is_read(tmp_path):
    os.rename(tarred(tmp_path / "x.tar.gz", OWN, "w:gz"), tmp_path / "x.zip")
    assert read(tmp_path / "x.zip").files == OWN


def test_only_the_suffix_is_cut_from_an_archives_name():
    names = ["maria.garcia.zip", "Smith, Jr.zip", "a.b.tar.gz", "x.TGZ", "v1.2.tar", "José María.zip"]
    assert [archives.stem(name) for name in names] == ["maria.garcia", "Smith, Jr", "a.b", "x", "v1.2", "José María"]
