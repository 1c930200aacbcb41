"""The model is asked for a loss, and nothing is done with the answer."""


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return min_lr + 0.0 * step
