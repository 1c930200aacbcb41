"""A device that works behind one's back, and the clock on its wall.

A step takes its launch time at once and queues its work; the work's time passes when somebody waits for it. So the same
total is measured with one wait at the end and with a wait after each step. The submission holds the stub of that name
(milestones/hidden/instruments/); the time and the count of steps stay here.
"""


class LazyDevice:
    """now: seconds on the clock. queued: seconds of work from before. launches, works: the two times of each step."""

    answers = frozenset({"step", "synchronize", "clock"})

    def __init__(self, now, queued, launches, works):
        self.now, self.queued = now, queued
        self.launches, self.works = launches, works
        self.steps = 0

    def step(self):
        number = min(self.steps, len(self.works) - 1)
        self.now += self.launches[number]
        self.queued += self.works[number]
        self.steps += 1

    def synchronize(self):
        self.now += self.queued
        self.queued = 0.0

    def clock(self):
        return self.now
