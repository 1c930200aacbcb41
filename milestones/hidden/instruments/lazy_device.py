"""A device and the clock on its wall, which both stand in the check: here are the buttons."""

import line


class LazyDevice:
    """number: of the lent device, which answers `step`, `synchronize` and `clock`."""

    def __init__(self, number):
        self.number = number

    def step(self):
        line.ask(self.number, "step")

    def synchronize(self):
        line.ask(self.number, "synchronize")

    def clock(self):
        return line.ask(self.number, "clock")


def make(number):
    return LazyDevice(number)
