"""`python -m autograder.cli`, the same as `ladder`."""

from autograder.cli import main

main()
