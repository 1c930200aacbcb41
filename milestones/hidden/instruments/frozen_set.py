"""A frozenset: sets can't cross the wall as arguments."""


def make(items):
    return frozenset(items)
