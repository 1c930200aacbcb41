"""Losses, rates and weights of 0; no step is made."""


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return 0.0
