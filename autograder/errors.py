"""What can go wrong without being anybody's verdict. Each message says what is wrong, where, and what to do next."""


class UnusableInput(Exception):
    """What was asked for cannot be done with what was given (exit status 2)."""


class HarnessFault(Exception):
    """The course or the harness is broken, not the submission (exit status 3)."""
