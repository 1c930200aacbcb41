"""Whole runs of the submission's train() on the tiny model: settings, what a run did, its rows and its files."""

import json
import math
from typing import NamedTuple

import torch

from .learning_rates import rate_at
from .lent_model import new_model, training_passes
from .random_text import Text, expect_windows
from .tiny_model import B, T, draw_weights, flat, weights_of

KEYS = ("step", "train_loss", "val_loss", "lr", "tokens", "seconds", "tokens_per_second")

# A run that has something of everything: warm-up, peak and floor, clipping, decay, micro-batches, an odd last row.
RUN = {
    "steps": 7, "batch_size": B, "block_size": T, "max_lr": 0.05, "min_lr": 0.005, "warmup_steps": 2,
    "betas": (0.85, 0.96), "weight_decay": 0.3, "grad_clip": 0.2, "accumulation_steps": 3, "eval_interval": 3,
    "eval_batches": 6, "seed": 11, "device": "cpu",
}  # fmt: skip
ROW_STEPS = [3, 6, 7]  # of RUN


def config_for(student, out_dir, **changes):
    """A TrainConfig over there: RUN with changes."""
    return student.keep(student.train.loop.TrainConfig, **(RUN | {"out_dir": out_dir} | changes))


def estimated(student, model, ids, seed, batches):
    return student.train.loop.estimate_loss(model, ids, batch_size=B, block_size=T, batches=batches, seed=seed)


def draw_ids(draw):
    """Training and validation ids."""
    return Text(draw, 300).ids, Text(draw, 200).ids


class Run:
    """A run of train() on texts that tell where a window is from, and what it did."""

    def __init__(self, student, draw, out_dir, **changes):
        self.student, self.out_dir, self.options = student, out_dir, RUN | changes
        self.text, self.val_text = Text(draw, 300), Text(draw, 200)
        self.weights = draw_weights(draw)
        self.model = new_model(student, self.weights)
        self.config = config_for(student, out_dir, **changes)

    def train(self):
        return self.student.train.loop.train(self.model, self.text.ids, self.val_text.ids, self.config)

    def updates(self, expect):
        """The windows of each update, as a list of (x, y)."""
        passes = training_passes(self.student, self.model)
        expect_windows(expect, "training", passes, self.text)
        x = torch.cat([forward["x"] for forward in passes])
        steps, micro_batches, rows = (self.options[name] for name in ("steps", "accumulation_steps", "batch_size"))
        windows = steps * micro_batches * rows
        expect.need(
            "training: the number of windows",
            tuple(x.shape) == (windows, T),
            rule="Each update must be made on accumulation_steps batches of batch_size windows of block_size ids.",
            saw=f"{steps} updates of {micro_batches} batches of {rows} windows are {windows} windows of {T} ids; the"
            f" model was given {x.shape[0]} of {x.shape[1]}.",
            evidence=list(x.shape),
        )
        return [(part, self.text.targets(part)) for part in x.split(micro_batches * rows)]

    def rates(self):
        """The submission's own schedule for each update, and for the one after the last."""
        settings = {name: self.options[name] for name in ("max_lr", "min_lr", "warmup_steps")}
        settings["max_steps"] = self.options["steps"]
        return [rate_at(self.student, step, settings) for step in range(self.options["steps"] + 1)]


class End(NamedTuple):
    """How a run ended: all weights in one vector, the rows that train returned, all training inputs in one vector."""

    weights: torch.Tensor
    rows: object
    batches: torch.Tensor


def trained(student, out_dir, weights, ids, *, disturb, dropout=0.4, resume_from=None, **changes):
    """A run on given ids to its end, in float32, with the global generator somewhere else for each `disturb`."""
    student.instrument("global_random").seed(disturb)
    model = new_model(student, weights, dtype="float32", dropout=dropout)
    resuming = {} if resume_from is None else {"resume_from": resume_from}
    rows = student.train.loop.train(model, *ids, config_for(student, out_dir, **changes), **resuming)
    batches = flat([forward["x"] for forward in training_passes(student, model)])
    return End(weights_of(student, model), rows, batches)


def is_finite(value):
    """Whether it is an int or a float, and finite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def expect_rows(expect, rows, options):
    """train returned rows with all keys, for the right steps."""
    expect.need(
        "train returns a list of dicts",
        isinstance(rows, list) and all(isinstance(row, dict) for row in rows),
        rule="train must return a list of dicts, the rows.",
    )
    missing = sorted({key for row in rows for key in KEYS if key not in row})
    expect.need(
        "every row has all keys",
        not missing,
        rule=f"Each row must have the keys {', '.join(KEYS)}.",
        saw=f"Rows lack {', '.join(missing)}.",
        evidence=missing,
    )
    interval, steps = options["eval_interval"], options["steps"]
    wanted = [step for step in range(1, steps + 1) if step % interval == 0 or step == steps]
    seen = [row["step"] for row in rows]
    expect.need(
        "the rows come at the right steps",
        seen == wanted and all(isinstance(step, int) for step in seen),
        rule="A row must come after every eval_interval updates and after the last; its step counts updates made.",
        saw=f"With eval_interval={interval} and {steps} updates the rows have the steps {seen}, should be {wanted}.",
        evidence=seen,
    )


def read_file(student, path):
    """A file of the submission's folder as bytes, or None."""
    if path not in student.files.list():
        return None
    content = student.files.get(path)
    return content if isinstance(content, bytes) else None


def metrics_of(student, out_dir):
    """What the lines of metrics.jsonl stand for, or None if there is no such file, or a line of it is not JSON."""
    content = read_file(student, f"{out_dir}/metrics.jsonl")
    if content is None:
        return None
    try:
        return [json.loads(line) for line in content.decode().splitlines() if line.strip()]
    except ValueError:  # neither text nor JSON
        return None


def steps_of(rows):
    """The step of each row; None for one that is not a dict."""
    return [row.get("step") if isinstance(row, dict) else None for row in rows]
