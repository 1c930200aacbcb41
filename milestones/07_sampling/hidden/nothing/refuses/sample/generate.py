"""Refuses everything with ValueError."""


def generate(*arguments, **options):
    raise ValueError("no")


def stream(*arguments, **options):
    raise ValueError("no")
