"""Watches a file for moments in which its name does not stand for a whole file, and tells the check of each.

Python tells an audit hook (PEP 578) of every file that is opened, removed or renamed. Replacing a file by renaming
another one to its name leaves no such moment (POSIX rename).
"""

import os
import sys

import line


class WatchedFile:
    """number: of the lent record, which answers `saw`."""

    def __init__(self, number, path):
        self.number = number
        self.path = os.path.abspath(path)
        self.watching = False

    def watch(self, watching):
        self.watching = watching

    def hook(self, event, args):
        if not self.watching:
            return
        if event == "open" and args[2] & os.O_TRUNC and self._is_it(args[0]):
            line.ask(self.number, "saw", "emptied and written anew")
        elif event == "os.remove" and self._is_it(args[0]):
            line.ask(self.number, "saw", "removed")
        elif event == "os.rename" and self._is_it(args[0]):
            line.ask(self.number, "saw", "renamed")

    def _is_it(self, path):
        return isinstance(path, (str, bytes)) and os.path.abspath(os.fsdecode(path)) == self.path


def make(number, path):
    watched = WatchedFile(number, path)
    sys.addaudithook(watched.hook)
    return watched
