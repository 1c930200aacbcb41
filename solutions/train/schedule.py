"""How fast to learn, and when."""

import math


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps) -> float:
    """The learning rate of update number `step`, counted from 0: a straight warm-up, half a cosine, a floor.

    step < warmup_steps:   rises in a straight line towards max_lr. Three slopes are published, and all are right:
                           max_lr * step / w, max_lr * (step + 1) / w, max_lr * (step + 1) / (w + 1), w = warmup_steps
    up to max_steps:       from max_lr at step warmup_steps down to min_lr at step max_steps along half a cosine
                           (Loshchilov and Hutter 2017, "SGDR", equation 5)
    step >= max_steps:     min_lr

    Returns a Python float. 0 <= warmup_steps < max_steps and min_lr <= max_lr. warmup_steps = 0 starts at max_lr.
    """
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return max_lr * (step + 1) / (warmup_steps + 1)
    if step >= max_steps:
        return min_lr
    progress = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION
