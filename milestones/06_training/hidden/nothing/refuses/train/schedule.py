"""Refuses everything with ValueError."""


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return int("no")
