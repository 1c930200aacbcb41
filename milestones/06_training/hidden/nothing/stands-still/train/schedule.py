"""Every call succeeds, leaves no trace and makes no step; a run goes through the windows in order."""


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return min_lr
