"""The learning rate of each update: a linear warm-up, then half a cosine, then a floor.

The cosine is that of Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5.
"""

import math


def learning_rate(step: int, *, max_lr: float, min_lr: float, warmup_steps: int, max_steps: int) -> float:
    """The learning rate of update number `step`, counted from 0, as a Python float.

    step < warmup_steps:   rises in a straight line towards max_lr. Three slopes are published, and all are right:
                           max_lr * step / w, max_lr * (step + 1) / w, max_lr * (step + 1) / (w + 1), w = warmup_steps
    up to max_steps:       falls along half a cosine, from max_lr at step warmup_steps to min_lr at step max_steps
    step >= max_steps:     min_lr

    0 <= warmup_steps < max_steps and min_lr <= max_lr. With warmup_steps = 0 the first update uses max_lr.
    """
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return max_lr * (step + 1) / (warmup_steps + 1)
    if step >= max_steps:
        return min_lr
    progress = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION
