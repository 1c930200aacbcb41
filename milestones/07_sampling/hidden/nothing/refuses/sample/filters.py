"""Refuses everything with ValueError."""


def apply_temperature(*arguments, **options):
    raise ValueError("no")


def top_k(*arguments, **options):
    raise ValueError("no")


def top_p(*arguments, **options):
    raise ValueError("no")


def repetition_penalty(*arguments, **options):
    raise ValueError("no")
