"""Watches a file for moments in which its name does not stand for a whole file.

Python tells an audit hook (PEP 578) of every file that is opened, removed or renamed. Replacing a file by renaming
another one to its name leaves no such moment (POSIX rename).
"""

import os
import sys


class WatchedFile:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.watching = False
        self.moments = []

    def begin(self):
        self.watching = True

    def end(self):
        """What happened to the file since `begin`, in words, in order."""
        self.watching = False
        return self.moments

    def hook(self, event, args):
        if not self.watching:
            return
        if event == "open" and args[2] & os.O_TRUNC and self._is_it(args[0]):
            self.moments.append("emptied and written anew")
        elif event == "os.remove" and self._is_it(args[0]):
            self.moments.append("removed")
        elif event == "os.rename" and self._is_it(args[0]):
            self.moments.append("renamed")

    def _is_it(self, path):
        return isinstance(path, (str, bytes)) and os.path.abspath(os.fsdecode(path)) == self.path


def make(path):
    watched = WatchedFile(path)
    sys.addaudithook(watched.hook)
    return watched
