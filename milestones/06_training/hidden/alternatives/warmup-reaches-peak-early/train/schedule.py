"""Warm-up (step + 1) / w, the cosine as a square of a cosine: (1 + cos a) / 2 = cos(a / 2) ** 2."""

import math


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps) -> float:
    if warmup_steps > step:
        return max_lr / warmup_steps * (1 + step)
    left = max(max_steps - step, 0)
    share = math.sin(math.pi / 2 * left / (max_steps - warmup_steps)) ** 2
    return (max_lr - min_lr) * share + min_lr
