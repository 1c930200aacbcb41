"""The optimizer: AdamW, whose weight decay acts on matrices and not on vectors.

The update is that of Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2.
"""

import torch
from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Sorts the model's parameters into those that are decayed and those that are not.

    Returns a list of two dicts that any torch optimizer takes, {"params": [...], "weight_decay": ...}: the parameters
    with two dimensions or more (matrices, embeddings) with `weight_decay`, all others (biases, the gains of norms) with
    0.0. The order of the two is free. Each parameter of the model is in exactly one group, and is listed there once,
    even if two modules share it.
    """
    ### BEGIN SOLUTION
    parameters = list(model.parameters())  # has a shared parameter once
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    ### END SOLUTION


def make_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.1,
) -> torch.optim.Optimizer:
    """AdamW over the groups of `parameter_groups`, with eps 1e-8.

    Step t = 1, 2, ... with gradient g and learning rate lr is, in this order:

        w = w - lr * weight_decay * w                      only in the decayed group
        m = betas[0] * m + (1 - betas[0]) * g              v = betas[1] * v + (1 - betas[1]) * g * g
        w = w - lr * (m / (1 - betas[0] ** t)) / (sqrt(v / (1 - betas[1] ** t)) + eps)
    """
    ### BEGIN SOLUTION
    return torch.optim.AdamW(parameter_groups(model, weight_decay), lr=learning_rate, betas=betas, eps=1e-8)
    ### END SOLUTION
