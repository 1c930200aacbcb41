"""A torch dtype by name: dtypes can't cross the wall as arguments."""

import torch


def make(name):
    return getattr(torch, name)
