"""Seeds torch's global generator and reads from it, to see whether something in between drew from it."""

import torch


class GlobalRandom:
    def seed(self, number):
        torch.manual_seed(number)

    def numbers(self):
        return torch.rand(4, dtype=torch.float64)


def make():
    return GlobalRandom()
