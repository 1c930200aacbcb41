"""Real texts: from the registry, a file or an address; checked, kept, and never half kept."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data import corpus, download, listing, registry
from data.errors import DataError
from data.statistics import counted_losses

ROOT = Path(__file__).resolve().parents[2]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def left_in(folder: Path) -> list[str]:
    """All files under a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def registered(server, verse, monkeypatch):
    """A corpus `verse` in the registry, which the local server offers."""
    content = verse.encode()
    entry = registry.Entry(
        title="Some verse",
        licence="MIT",
        bytes=len(content),
        sha256=sha256(content),
        url=server.url("/verse.txt"),
        local_copy="LADDER_TEST_VERSE",
    )
    server.pages["/verse.txt"] = content
    monkeypatch.setattr(registry, "corpora", lambda: {"verse": entry})
    monkeypatch.delenv("LADDER_TEST_VERSE", raising=False)
    return entry


# --- what arrives is what was there --------------------------------------------------------------------------------


def test_a_file_comes_back_character_by_character(tmp_path):
    # Form feeds and Unicode's own line separators are where line-splitting readers lose characters.
    text = "\n\n  Ärger\twith\x0bodd\x0cspaces \x1c\x85\u2028 and\n\n\n" * 40 + "\n "
    (tmp_path / "odd.txt").write_bytes(text.encode())
    found = corpus.load(tmp_path / "odd.txt")
    assert found.text == text
    assert found.sha256 == sha256(text.encode())


def test_line_ends_become_newlines(tmp_path):
    (tmp_path / "dos.txt").write_bytes(b"one\r\ntwo\rthree\n" * 100)
    assert corpus.load(tmp_path / "dos.txt").text == "one\ntwo\nthree\n" * 100


def test_reading_leaves_nothing_behind_but_the_text(tmp_path, own_cache, verse):
    (tmp_path / "verse.txt").write_text(verse)
    corpus.load(tmp_path / "verse.txt")
    assert left_in(own_cache) == []


def test_an_address_is_downloaded_once(server, verse):
    server.pages["/v.txt"] = verse.encode()
    assert corpus.load(server.url("/v.txt")).text == verse
    assert corpus.load(server.url("/v.txt")).text == verse
    assert server.requests == ["/v.txt"]


def test_a_registered_corpus_is_downloaded_checked_and_kept(registered, server, verse, own_cache):
    assert corpus.available("verse") is None
    found = corpus.load("verse")
    assert (found.text, found.licence, found.source) == (verse, "MIT", registered.url)
    assert corpus.available("verse") == found
    server.stop()
    assert corpus.load("verse") == found


def test_a_local_copy_serves_before_the_network(registered, server, verse, tmp_path, monkeypatch):
    (tmp_path / "copy.txt").write_text(verse)
    monkeypatch.setenv("LADDER_TEST_VERSE", str(tmp_path / "copy.txt"))
    assert corpus.load("verse").text == verse
    assert server.requests == []


def test_a_local_copy_with_other_contents_is_refused_and_named(registered, server, verse, tmp_path, monkeypatch):
    (tmp_path / "copy.txt").write_text(verse + "!")
    monkeypatch.setenv("LADDER_TEST_VERSE", str(tmp_path / "copy.txt"))
    with pytest.raises(DataError, match="is not verse") as caught:
        corpus.load("verse")
    assert caught.value.where == str(tmp_path / "copy.txt")
    assert "LADDER_TEST_VERSE" in caught.value.next_step
    assert server.requests == []


def test_a_damaged_cache_is_noticed_and_fetched_again(registered, server, verse):
    corpus.load("verse")
    path = download.cached_path(registered.url)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert corpus.available("verse") is None
    assert corpus.load("verse").text == verse
    assert len(server.requests) == 2


def test_a_damaged_cache_of_an_unregistered_address_is_noticed_too(server, verse):
    server.pages["/v.txt"] = verse.encode()
    corpus.load(server.url("/v.txt"))
    download.cached_path(server.url("/v.txt")).write_bytes(b"x" * 5000)
    assert corpus.load(server.url("/v.txt")).text == verse


def test_an_address_may_carry_its_checksum(server, verse):
    server.pages["/v.txt"] = verse.encode()
    assert corpus.load(server.url("/v.txt") + "#sha256=" + sha256(verse.encode())).text == verse
    with pytest.raises(DataError, match="another checksum"):
        corpus.load(server.url("/v.txt") + "#sha256=" + "0" * 64)


# --- what goes wrong says so, and leaves nothing ----------------------------------------------------------------------


def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(registered, server, own_cache):
    server.pages["/verse.txt"] = b"something else entirely" * 100
    with pytest.raises(DataError, match="another checksum") as caught:
        corpus.load("verse")
    assert registered.sha256 in caught.value.what
    assert left_in(own_cache) == []


def test_a_failed_download_does_not_cost_the_file_that_was_there(registered, server, verse):
    corpus.load("verse")
    path = download.cached_path(registered.url)
    path.write_bytes(b"damaged, but perhaps all that there is")
    server.pages["/verse.txt"] = b"wrong"
    with pytest.raises(DataError):
        corpus.load("verse")
    assert path.read_bytes() == b"damaged, but perhaps all that there is"


def test_without_a_network_the_error_says_what_to_do(registered, server, own_cache):
    server.stop()
    with pytest.raises(DataError, match="The download failed") as caught:
        corpus.load("verse")
    assert caught.value.where == registered.url
    assert "embedded" in caught.value.next_step
    assert left_in(own_cache) == []


def test_a_connection_that_breaks_off_is_an_error(registered, server, verse, own_cache):
    server.pages["/verse.txt"] = (200, {"Content-Length": "999999"}, verse.encode())
    with pytest.raises(DataError, match=r"broke off|IncompleteRead"):
        corpus.load(registered.url)
    assert left_in(own_cache) == []


def test_an_answer_that_is_no_file_is_an_error(server, own_cache):
    with pytest.raises(DataError, match="answered 404"):
        corpus.load(server.url("/missing.txt"))
    assert left_in(own_cache) == []


def test_a_redirect_is_followed(server, verse):
    server.pages["/old.txt"] = (302, {"Location": server.url("/new.txt")}, b"")
    server.pages["/new.txt"] = verse.encode()
    assert corpus.load(server.url("/old.txt")).text == verse


def test_undecodable_bytes_are_named_with_their_offset(tmp_path):
    (tmp_path / "latin1.txt").write_bytes(b"x" * 1234 + "Käse".encode("latin1") + b"y" * 2000)
    with pytest.raises(DataError, match=r"byte 1235 \(counted from 0\) is 0xe4") as caught:
        corpus.load(tmp_path / "latin1.txt")
    assert "iconv" in caught.value.next_step


@pytest.mark.parametrize(("content", "message"), [(b"", "empty"), (b"To be" * 10, "too short: 50 characters")])
def test_a_text_that_is_too_short_is_refused(tmp_path, content, message):
    (tmp_path / "short.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        corpus.load(tmp_path / "short.txt")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match="no corpus of this name") as caught:
        corpus.load("tinyshakespear")
    assert "embedded, tinyshakespeare" in caught.value.next_step


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(DataError, match="can't be read"):
        corpus.load(tmp_path)


FULL_DISK = """
import resource, sys
from data import corpus
from data.errors import DataError
import datasets
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    corpus.load(sys.argv[1])
except DataError as error:
    print(error)
"""


def load_with_little_room(name: str, limit: int) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, name, str(limit)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_full_disk_during_the_download_leaves_nothing(server, verse, own_cache):
    server.pages["/v.txt"] = verse.encode()
    said = load_with_little_room(server.url("/v.txt"), 10_000)
    assert "There is no room to write" in said
    assert "what next: free some space" in said
    assert left_in(own_cache) == []


def test_a_full_disk_while_datasets_reads_leaves_nothing(tmp_path, verse, own_cache):
    (tmp_path / "verse.txt").write_text(verse)
    said = load_with_little_room(str(tmp_path / "verse.txt"), 10_000)
    assert "There is no room to write" in said
    assert left_in(own_cache) == []
    assert corpus.load(tmp_path / "verse.txt").text == verse


def test_a_cache_that_is_no_folder_is_an_error(tmp_path, verse, monkeypatch):
    (tmp_path / "verse.txt").write_text(verse)
    monkeypatch.setenv("GPT_LADDER_CACHE", str(tmp_path / "verse.txt"))
    with pytest.raises(DataError, match="Writing failed") as caught:
        corpus.load(tmp_path / "verse.txt")
    assert "GPT_LADDER_CACHE" in caught.value.next_step


# --- Tiny Shakespeare, and counting -----------------------------------------------------------------------------------


def test_tiny_shakespeare_through_a_server(shakespeare, server, monkeypatch):
    entry = registry.corpora()["tinyshakespeare"]
    served = registry.Entry(entry.title, entry.licence, entry.bytes, entry.sha256, url=server.url("/input.txt"))
    server.pages["/input.txt"] = shakespeare.read_bytes()
    monkeypatch.setattr(registry, "corpora", lambda: {"tinyshakespeare": served})
    found = corpus.load("tinyshakespeare")
    assert found.text.encode() == shakespeare.read_bytes()
    assert found.sha256 == entry.sha256
    assert len(shakespeare.read_bytes()) == entry.bytes


def test_the_list_prints_the_known_figures_of_tiny_shakespeare(shakespeare, monkeypatch):
    monkeypatch.setenv("GPT_LADDER_SHAKESPEARE", str(shakespeare))
    row = next(line for line in listing.table().splitlines() if line.startswith("tinyshakespeare"))
    for figure in ("1,115,394", "public domain", "65", "4.1744", "3.3473", "2.4819", "86c4e6aa"):
        assert figure in row


def test_the_list_downloads_nothing(registered, server):
    text = listing.table()
    assert server.requests == []
    assert "`verse` is not on this machine yet: ladder data show verse" in text


def test_show_tells_the_floor_of_the_embedded_corpus_only(tmp_path, verse):
    assert "floor, val" in listing.show("embedded")
    (tmp_path / "verse.txt").write_text(verse)
    shown = listing.show(str(tmp_path / "verse.txt"))
    assert "floor, val" not in shown
    assert "unknown" in shown


def naive_loss(train: str, val: str, order: int) -> float:
    """The same by dictionaries, one character at a time."""
    size = len(set(train + val))
    seen: dict[str, int] = {}
    contexts: dict[str, int] = {}
    for i in range(len(train) - order + 1):
        seen[train[i : i + order]] = seen.get(train[i : i + order], 0) + 1
        contexts[train[i : i + order - 1]] = contexts.get(train[i : i + order - 1], 0) + 1
    total = 0.0
    for i in range(len(val) - order + 1):
        gram = val[i : i + order]
        total -= math.log((seen.get(gram, 0) + 1) / (contexts.get(gram[:-1], 0) + size))
    return total / (len(val) - order + 1)


@pytest.mark.parametrize("alphabet", ["abc", "aé漢😀\n"])
def test_counted_losses_agree_with_counting_by_hand(alphabet, verse):
    numbers = [ord(c) % len(alphabet) for c in verse[:3000]]
    text = "".join(alphabet[n] for n in numbers)
    train, val = text[:2000], text[2000:]
    found = counted_losses(train, val)
    assert found.vocab_size == len(alphabet)
    assert found.uniform == pytest.approx(math.log(len(alphabet)))
    assert [found.unigram, found.bigram, found.trigram] == pytest.approx([naive_loss(train, val, n) for n in (1, 2, 3)])
