"""Warm-up step / w, and everything clamped instead of branched on."""

from math import cos, pi


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps) -> float:
    rising = 1.0 if warmup_steps == 0 else min(1.0, step / warmup_steps)
    progress = min(1.0, max(0.0, (step - warmup_steps) / (max_steps - warmup_steps)))
    falling = 0.5 * (1.0 + cos(pi * progress))
    if step < warmup_steps:
        return float(rising * max_lr)
    return float(falling * max_lr + (1.0 - falling) * min_lr)
