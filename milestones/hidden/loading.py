"""Puts named weights into a module, with and without biases, whatever biases the module has.

Linear layers with a bias and without one are both right. So exact items load zero biases, and ask once more with the
biases that the module takes: one that has none says so with a ValueError, as the stub's `load_weights` does.
"""

import torch

from autograder.grading.student import StudentError


def is_bias(name):
    return name.rpartition(".")[2] == "bias"


def without_biases(weights):
    """The same weights with every bias zero."""
    return {name: torch.zeros_like(t) if is_bias(name) else t for name, t in weights.items()}


def kind(name):
    """The name without the layer's number: h.3.mlp.c_fc.bias -> h.mlp.c_fc.bias."""
    return ".".join(part for part in name.split(".") if not part.isdigit())


def load_with_biases(module, weights):
    """Loads `weights`, with those biases zero that the module refuses; returns the weights that it now holds.

    Each kind of bias is tried alone first, since a model may have biases in the feed-forward only.
    """
    bare = without_biases(weights)
    taken = dict(bare)
    for bias in dict.fromkeys(kind(name) for name in weights if is_bias(name)):
        offered = {name: t for name, t in weights.items() if is_bias(name) and kind(name) == bias}
        try:
            module.load_weights(bare | offered)
        except StudentError as error:
            if error.type != "ValueError":
                raise
        else:
            taken |= offered
    module.load_weights(taken)
    return taken


def scaled(weights, factors):
    """The weights with some tensors multiplied: scaled(weights, {"mlp.c_proj.weight": 0.0}) switches a branch off."""
    return {name: tensor * factors.get(name, 1.0) for name, tensor in weights.items()}


def prepared(student, module, weights):
    """The module in float64 and eval mode, with these weights."""
    module.double()
    module.eval()
    module.load_weights(weights)
    return module


def count(parameters):
    """How many numbers the parameters (as `student.parameters` lists them) hold."""
    return sum(torch.Size(parameter["shape"]).numel() for parameter in parameters)
