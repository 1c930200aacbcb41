"""The one gate for what is handed in: folders and archives are read by a process of its own, within limits.

    with Reader(packages) as reader:
        submission = reader.read(path)

Whatever lies at `path`, a Submission comes back: trouble with what was handed in is a finding in it.
"""

from autograder.intake.archives import is_archive
from autograder.intake.gate import Reader

__all__ = ["Reader", "is_archive"]
