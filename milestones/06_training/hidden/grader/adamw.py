"""AdamW, as the handout states it, on a list of tensors."""

import torch

EPS = 1e-8


class AdamW:
    """Loshchilov and Hutter 2019, algorithm 2, with constant schedule multiplier; decay only if ndim >= 2."""

    def __init__(self, weights, betas, weight_decay):
        self.weights = [weight.clone() for weight in weights]
        self.first = [torch.zeros_like(weight) for weight in weights]
        self.second = [torch.zeros_like(weight) for weight in weights]
        self.betas, self.weight_decay, self.t = betas, weight_decay, 0

    def step(self, gradients, learning_rate):
        """Moves self.weights."""
        self.t += 1
        one, two = self.betas
        for i, g in enumerate(gradients):
            if self.weights[i].ndim >= 2:
                self.weights[i] = self.weights[i] * (1 - learning_rate * self.weight_decay)
            self.first[i] = one * self.first[i] + (1 - one) * g
            self.second[i] = two * self.second[i] + (1 - two) * g * g
            m, v = self.first[i] / (1 - one**self.t), self.second[i] / (1 - two**self.t)
            self.weights[i] = self.weights[i] - learning_rate * m / (v.sqrt() + EPS)
