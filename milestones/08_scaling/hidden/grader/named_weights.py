"""Reads a model's weights under GPT-2's names, whatever its layout, so that trusted code can compute with them.

`load_weights` puts each named number into a place of its own. Three loads of random numbers tell which place that is,
and how the number is kept there: as it is, or scaled or shifted by a constant, as a gain that is counted from 1.
"""

import torch

from autograder.grading.draw import Draw
from autograder.grading.expect import is_close
from autograder.grading.student import Ref, Student
from milestones.hidden.loading import is_bias, load_with_biases
from milestones.hidden.weights import gpt, gpt_loss, gpt_weights

from .layout import config_of

SAME = 1e-9  # relative: what rounding in float64 leaves of two equal ratios


class Places:
    """Where the GPT of `sizes` keeps its named weights.

    right: whether all numbers have a place, and the GPT computes with them what a GPT computes.
    """

    def __init__(self, student: Student, draw: Draw, sizes: dict):
        self._student = student
        of_weights = {name: sizes[name] for name in ("vocab_size", "block_size", "n_layer", "n_embd")}
        loads = [gpt_weights(draw, **of_weights, bias=True) for _ in range(3)]
        model = student.model.transformer.GPT(config_of(student, sizes))
        model.double()
        taken = load_with_biases(model, loads[0])
        refused = {name for name, tensor in taken.items() if is_bias(name) and not tensor.any()}
        self._shapes = {name: tensor.shape for name, tensor in taken.items()}
        named, kept = [], []
        for load in loads:
            load = {name: torch.zeros_like(t) if name in refused else t for name, t in load.items()}
            model.load_weights(load)
            named.append(_flat(load.values()))
            kept.append(_flat(student.get_parameters(model)))
        self._find(named, kept)
        moving = named[0] != named[1]
        self.right = bool(self._found[moving].all()) and self._computes(model, load, draw, sizes)

    def _computes(self, model: Ref, load: dict[str, torch.Tensor], draw: Draw, sizes: dict) -> bool:
        """Whether the model, loaded with these weights, gives the logits and the loss of a GPT."""
        x, y = (draw.randint(0, sizes["vocab_size"], (2, sizes["block_size"])) for _ in range(2))
        logits = gpt(x, load, sizes["n_head"])
        returned = self._student.attempt(model, x, y)
        if not isinstance(returned, list) or len(returned) != 2:
            return False
        return is_close(returned[0], logits, "f32") and is_close(returned[1], gpt_loss(logits, y), "f32")

    def _find(self, named: list[torch.Tensor], kept: list[torch.Tensor]) -> None:
        """A number and its place change in the same ratio from load to load, scaled and shifted or not."""
        ratios = _ratio(named).nan_to_num(nan=torch.inf)
        order = ratios.argsort()
        wanted = _ratio(kept)
        right = torch.searchsorted(ratios[order], wanted).clamp(1, len(order) - 1)
        nearer = (ratios[order[right - 1]] - wanted).abs() < (ratios[order[right]] - wanted).abs()
        index = order[torch.where(nearer, right - 1, right)]
        is_same = (ratios[index] - wanted).abs() <= SAME * (1 + wanted.abs()) ** 2
        self._at = is_same.nonzero().flatten()  # places among the parameters' numbers that hold a named one
        self._index = index[self._at]  # which one
        first, second = (load[self._index] for load in named[:2])
        self._scale = (kept[0] - kept[1])[self._at] / (first - second)
        self._shift = kept[0][self._at] - self._scale * first
        self._found = torch.zeros(len(ratios), dtype=torch.bool)
        self._found[self._index] = True

    def named(self, parameters: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """A model's parameters by GPT-2's names, float64; those that it does not have are 0."""
        kept = _flat(parameters)
        flat = torch.zeros(len(self._found), dtype=torch.float64)
        flat[self._index] = (kept[self._at] - self._shift) / self._scale
        parts = flat.split([shape.numel() for shape in self._shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}


def _flat(tensors) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in tensors])


def _ratio(loads: list[torch.Tensor]) -> torch.Tensor:
    """How a number changed from the first load to the second, over how it changed to the third. NaN if it did not."""
    first, second, third = loads
    return (first - second) / (second - third)
