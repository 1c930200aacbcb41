"""Grading for a whole class."""
