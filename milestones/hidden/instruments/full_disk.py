"""A disk with room for only so many bytes in a file: what is written beyond raises OSError, as on a full disk.

It is the soft RLIMIT_FSIZE; Python ignores the signal that comes with it.
"""

import resource


class FullDisk:
    def fill(self, room):
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))

    def clear(self):
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def make():
    return FullDisk()
