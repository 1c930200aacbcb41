"""`ladder …`: the command line, a file per kind of user. Every target of the Makefile is one call of it."""

from autograder.cli import author, evidence, instructor, learner  # noqa: F401  # each adds its commands to `app`
from autograder.cli.app import app, main

__all__ = ["app", "main"]
