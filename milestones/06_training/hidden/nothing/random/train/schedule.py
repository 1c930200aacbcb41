"""Random losses and rates, and a random walk of the weights."""

import random


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return random.uniform(min_lr, max_lr)
