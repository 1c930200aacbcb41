"""Random losses and rates, and a random walk of the weights."""

import torch


def parameter_groups(model, weight_decay):
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}, {"params": [], "weight_decay": 0.0}]


def make_optimizer(model, *, learning_rate, betas=(0.9, 0.95), weight_decay=0.1):
    return torch.optim.SGD(model.parameters(), lr=learning_rate)
