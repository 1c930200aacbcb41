"""Every run is refused as one that diverges, with the step and the learning rate in the message."""


def learning_rate(step, *, max_lr, min_lr, warmup_steps, max_steps):
    return max_lr
