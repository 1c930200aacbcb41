"""A module with parameters of every number of dimensions, one of them shared by two modules, at several depths."""

import torch
from torch import nn


class Assorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(11, 6)
        self.scale = nn.Parameter(torch.ones(()))
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 5)) for _ in range(2))
        self.experts = nn.Parameter(torch.zeros(2, 6, 3))
        self.row = nn.Parameter(torch.zeros(1, 7))
        self.filters = nn.Conv2d(2, 3, 2)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.wte.weight
        self.register_buffer("mask", torch.ones(4, 4))


def make():
    return Assorted()
