"""The package that grades: reads rungs, jails submissions, judges them, names mistakes."""

__version__ = "0.1.0"
