"""Where fresh inputs come from: course secret -> submission -> item. The middle one stands in the report."""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from autograder.course import Course
from autograder.submission import Submission


def course_secret(course: str) -> bytes:
    """32 random bytes of this course, in the user's configuration folder, made on first use."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = base / course / "course-secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # made with mode 0600
            file.write(secrets.token_hex(32))
            file.flush()
            with contextlib.suppress(FileExistsError):  # another process made it just now
                os.link(file.name, path)
    return bytes.fromhex(path.read_text().strip())


def seed_for(submission: Submission, course: Course, seed: int | None) -> int:
    """`seed`, or the submission's own if that is None."""
    return submission_seed(course_secret(course.config.name), submission.sha256) if seed is None else seed


def submission_seed(secret: bytes, sha256: str) -> int:
    return int.from_bytes(hmac.new(secret, sha256.encode(), hashlib.sha256).digest()[:6], "big")


def item_seed(seed: int, rung: str, item: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{rung}/{item}".encode()).digest()[:6], "big")


def worker_seed(seed: int) -> int:
    """The seed of the global generators in the worker, from which nobody there can tell the item's own."""
    return int.from_bytes(hashlib.sha256(f"{seed}/worker".encode()).digest()[:6], "big")
