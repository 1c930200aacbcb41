"""torch's own optimizers, and hands to put gradients and checkpoints where they belong."""

import torch


class Optimizers:
    def sgd_of(self, model, learning_rate):
        return torch.optim.SGD(model.parameters(), lr=learning_rate)

    def adam_of(self, model, learning_rate):
        return torch.optim.AdamW(model.parameters(), lr=learning_rate)

    def read_groups(self, groups):
        """Of each group: its parameters, and its weight_decay (None where it names none). Iterators are read once."""
        self.groups = [group | {"params": list(group["params"])} for group in groups]
        return [
            ([p[1] if isinstance(p, tuple) else p for p in group["params"]], group.get("weight_decay"))
            for group in self.groups
        ]

    def sgd_of_groups(self, learning_rate):
        """Plain gradient descent over the groups last read, each with its own weight_decay."""
        return torch.optim.SGD(self.groups, lr=learning_rate)

    def give_gradients(self, model, gradients):
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient.clone()

    def set_learning_rate(self, optimizer, learning_rate):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate

    def restore(self, checkpoint, model, optimizer=None):
        model.load_state_dict(checkpoint["model"])
        if optimizer is not None:
            optimizer.load_state_dict(checkpoint["optimizer"])


def make():
    return Optimizers()
