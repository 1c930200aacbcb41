"""A cache of each test's own, and a small web server."""

import hashlib
import http.server
import json
import sys
import threading
from pathlib import Path

import pytest

from data import prepare
from data.corpus import Corpus
from data.embedded.generator import generate
from tests.data.token_files import BPE, MERGES


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """No test reads or writes the user's cache, or finds a corpus that the user has."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GPT_LADDER_CACHE", str(folder))
    monkeypatch.delenv("GPT_LADDER_SHAKESPEARE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return folder


@pytest.fixture(scope="session")
def verse() -> str:
    """Some 30,000 characters to work with."""
    return generate(seed=77, scenes=30)


class Server:
    """Serves what `pages` holds: path -> bytes, or path -> (status, headers, bytes). Counts the requests."""

    def __init__(self):
        self.pages: dict = {}
        self.requests: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                page = outer.pages.get(self.path, (404, {}, b"not here"))
                status, headers, body = page if isinstance(page, tuple) else (200, {}, page)
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def corpus(verse) -> Corpus:
    return Corpus("verse", verse, hashlib.sha256(verse.encode()).hexdigest(), "MIT", "here")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(prepare, "PIECE_CHARACTERS", 2_000)
    monkeypatch.setattr(prepare.pieces, "__defaults__", (2_000,))


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A learner's workspace with a tokenizer of rung 5, and its saved merges."""
    folder = tmp_path / "work"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer" / "__init__.py").write_text("")
    (folder / "tokenizer" / "bpe.py").write_text(BPE)
    (folder / "bpe.json").write_text(json.dumps(MERGES))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder
