"""torch's own optimizers, and hands to put gradients and checkpoints where they belong."""

import torch


class Optimizers:
    def sgd(self, groups, learning_rate):
        """Plain gradient descent over parameter groups, each with its own weight_decay."""
        return torch.optim.SGD(groups, lr=learning_rate)

    def sgd_of(self, model, learning_rate):
        return torch.optim.SGD(model.parameters(), lr=learning_rate)

    def adam_of(self, model, learning_rate):
        return torch.optim.AdamW(model.parameters(), lr=learning_rate)

    def list_parameters(self, groups):
        """Of each group: its parameters (which may come from an iterator), and its other settings."""
        for group in groups:
            group["params"] = list(group["params"])
        return [(group["params"], group.get("weight_decay")) for group in groups]

    def give_gradients(self, model, gradients):
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient.clone()

    def set_learning_rate(self, optimizer, learning_rate):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate

    def restore(self, checkpoint, model, optimizer):
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])


def make():
    return Optimizers()
