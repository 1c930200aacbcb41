"""A study by the submission, and what is needed to repeat it: fresh ids, small sizes, the submission's own `train`.

The ids go round a cycle, mostly in training and rarely in validation. So the two splits give losses far apart, and a
model that learns the first gets worse at the second.
"""

import time

import torch

from autograder.grading.draw import Draw
from autograder.grading.expect import Expect
from autograder.grading.student import Ref, Student
from milestones.hidden.weights import gpt_loss

from .layout import config_of
from .returned_values import shown

V = 11
FOLLOWS, FOLLOWS_IN_VALIDATION = 0.8, 0.2  # how often the next token is the next one of the cycle
SIZES = [
    {"block_size": 20, "vocab_size": V, "n_layer": 1, "n_head": 2, "n_embd": 12, "dropout": 0.0},
    {"block_size": 20, "vocab_size": V, "n_layer": 2, "n_head": 2, "n_embd": 18, "dropout": 0.0},
    {"block_size": 20, "vocab_size": V, "n_layer": 2, "n_head": 4, "n_embd": 28, "dropout": 0.0},
]
TRAINING = {
    "steps": 40, "batch_size": 8, "block_size": 16, "accumulation_steps": 1, "max_lr": 1e-2, "min_lr": 1e-3,
    "warmup_steps": 4, "weight_decay": 0.1, "grad_clip": 1.0, "eval_interval": 10, "eval_batches": 30, "seed": 4321,
    "device": "cpu",
}  # fmt: skip
FEW = {"train_tokens": 900, "val_tokens": 400, "follows_in_validation": FOLLOWS}
SLOWEST, FASTEST = 3e-3, 1.2e-2  # learning rates: the losses after a short training differ by more than chance
OUT = "study_of_the_grader"


def chain(draw: Draw, length: int, follows: float) -> torch.Tensor:
    """Token ids that go up by one (modulo V) with probability `follows`, and are drawn at random otherwise."""
    up = (draw.rand(length) < follows).tolist()
    ids = draw.randint(0, V, (length,)).tolist()
    for t in range(1, length):
        if up[t]:
            ids[t] = (ids[t - 1] + 1) % V
    return torch.tensor(ids, dtype=torch.int64)


def short(draw: Draw) -> dict:
    """Settings of a training that is over soon, at a rate that nobody knows beforehand and that stays the same."""
    rate = SLOWEST * (FASTEST / SLOWEST) ** float(draw.rand(1))
    return {
        "steps": 16, "warmup_steps": 1, "eval_interval": 8, "eval_batches": 2, "max_lr": rate, "min_lr": rate,
    }  # fmt: skip


class Study:
    """run_scaling_study called with fresh ids. `changes` are settings of the training that differ from TRAINING."""

    def __init__(
        self,
        student: Student,
        draw: Draw,
        expect: Expect,
        *,
        sizes: list[dict] = SIZES,
        train_tokens: int = 4000,
        val_tokens: int = 1500,
        follows_in_validation: float = FOLLOWS_IN_VALIDATION,
        **changes,
    ):
        self.student, self.expect = student, expect
        self.sizes = sizes
        self.train_ids = chain(draw, train_tokens, FOLLOWS)
        self.val_ids = chain(draw, val_tokens, follows_in_validation)
        self.training = TRAINING | changes
        configs = [config_of(student, size) for size in sizes]
        self.returned = student.train.scaling.run_scaling_study(
            configs, self.train_ids, self.val_ids, self.train_config(OUT), OUT
        )

    def train_config(self, out_dir: str, **changes) -> Ref:
        settings = self.training | changes
        return self.student.keep(self.student.train.loop.TrainConfig, **settings, out_dir=out_dir)

    def entries(self, of: str = "the study") -> list[dict]:
        """The study's "sizes", one dict for each size."""
        found = self.returned.get("sizes") if isinstance(self.returned, dict) else None
        is_list = isinstance(found, list)
        self.expect.need(
            f'"sizes" of {of} has a dict for each size',
            is_list and len(found) == len(self.sizes) and all(isinstance(entry, dict) for entry in found),
            rule='run_scaling_study must return a dict whose "sizes" is a list of dicts, one for each configuration.',
            saw=f'For {len(self.sizes)} configurations "sizes" is {shown(found)}.',
            evidence=len(found) if is_list else type(found).__name__,
        )
        return found

    def new_model(self, index: int) -> Ref:
        """The GPT of one size, with the weights that it has in the study before training."""
        size = config_of(self.student, self.sizes[index])
        self.student.instrument("global_random").seed(self.training["seed"])
        return self.student.model.transformer.GPT(size)

    def retrain(self, index: int) -> tuple[Ref, list[dict], float]:
        """One size trained again by the submission's own loop: (model, rows, seconds)."""
        config = self.train_config(f"{OUT}_again_{index}")
        model = self.new_model(index)
        start = time.perf_counter()
        rows = self.student.train.loop.train(model, self.train_ids, self.val_ids, config)
        return model, rows, time.perf_counter() - start

    def windows(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x, y (B, T) each: the non-overlapping windows of ids and their targets."""
        T = self.training["block_size"]
        number = (len(ids) - 1) // T
        return ids[: number * T].view(number, T), ids[1 : number * T + 1].view(number, T)

    def loss(self, model: Ref, ids: torch.Tensor, what: str) -> float:
        """The model's mean loss over non-overlapping windows of ids, from its logits; `what` it is, for a label."""
        x, y = self.windows(ids)
        windows, T = x.shape
        model.eval()
        returned = model(x)
        logits = returned[0] if isinstance(returned, (list, tuple)) and returned else returned
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
        self.expect.need(
            f"the logits for {what} have the shape (B, T, V)",
            shape == (windows, T, V),
            rule="A trained model must return logits (B, T, V) for ids (B, T).",
            saw=f"For ids {(windows, T)} the first thing that the trained model returned is {shown(logits)}.",
        )
        return gpt_loss(logits, y).item()
