"""What can go wrong without being anybody's verdict. Each message says what is wrong, where, and what to do next.

    Exception
    ├── UnusableInput           what was asked for cannot be done with what was given (exit status 2)
    │   └── OutUnusable           a class's results cannot be written (classroom/out.py)
    ├── DataError               the same, said by data/, which imports nothing of the harness (data/errors.py)
    ├── HarnessFault            the course or the harness is broken, not the submission (exit status 3)
    │   ├── CourseError           a rung's files contradict themselves or the format
    │   └── CollectionError       the hidden graders could not be collected or run (grading/items.py)
    └── JailError               the jail itself could not be set up (jail/template.py; exit status 3)

A submission's own troubles are not in this tree, since they become verdicts:

    Wrong                       an expectation that did not hold (grading/expect.py)
    TooMuchToCheck              checking what the code returned took too long (grading/items.py)
    StudentError                the submission's code raised (grading/student.py)
    ReaderLost, Damaged         what was handed in could not be read (intake/); they become findings
    WorkerLost                  the submission's process is gone (jail/worker.py):
                                WorkerDied, WorkerTimeout, WorkerFlooded, BadReply
"""


class UnusableInput(Exception):
    """What was asked for cannot be done with what was given (exit status 2)."""


class HarnessFault(Exception):
    """The course or the harness is broken, not the submission (exit status 3)."""


class CourseError(HarnessFault):
    """A rung's files contradict themselves or the format; the message names file and field."""
