"""Learning rates as shares of max_lr, which compare well whatever the peak is."""

import math

from autograder.grading.expect import is_close


def rate_at(student, step, settings):
    """The submission's rate for update number `step`."""
    return student.train.schedule.learning_rate(step, **settings)


def share(rate, max_lr):
    """The rate over max_lr; NaN if it is not a number."""
    return rate / max_lr if isinstance(rate, (int, float)) else math.nan


def is_rate(rate, expected, max_lr):
    return is_close(share(rate, max_lr), share(expected, max_lr))
