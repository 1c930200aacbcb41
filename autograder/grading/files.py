"""The files of a submission, in its worker's own folder."""

from collections.abc import Callable

from autograder.grading import replies


class Files:
    """The submission's own folder in the worker, as `student.files`."""

    def __init__(self, request: Callable):
        self._request = request

    def put(self, path: str, data: bytes) -> None:
        """Writes a file there.

        student.files.put("corpus.txt", b"abc")
        """
        self._request("file_put", path, data)

    def get(self, path: str) -> bytes:
        """A file's content.

        notes = student.files.get("notes/architecture.md")
        """
        return replies.content(self._request("file_get", path))

    def list(self) -> list[str]:
        """The paths of all files there, sorted.

        student.files.list()
        """
        return replies.texts(self._request("file_list"))
