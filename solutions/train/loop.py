"""The training loop: batches go in; a trained model, a table of measurements and a checkpoint come out.

Shapes: x and y of a batch are int64 (B, T), B = batch_size and T = block_size. `model(x, y)` returns (logits, loss),
where loss is the mean over the batch in nats. Clipping is that of Pascanu, Mikolov and Bengio 2013, "On the difficulty
of training recurrent neural networks", algorithm 1.
"""

import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from train.checkpoint import load_checkpoint, save_checkpoint
from train.data import get_batch
from train.optim import make_optimizer
from train.schedule import learning_rate


@dataclass
class TrainConfig:
    """Everything that a run depends on, besides the model and the ids."""

    steps: int = 2000  # updates of the weights
    batch_size: int = 32  # windows in a micro-batch
    block_size: int = 64  # tokens in a window
    max_lr: float = 1e-3
    min_lr: float = 1e-4
    warmup_steps: int = 100
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    grad_clip: float | None = 1.0  # largest norm of the whole gradient; None or 0: no limit
    accumulation_steps: int = 1  # micro-batches in an update
    eval_interval: int = 100  # updates between two rows of measurements
    eval_batches: int = 20  # batches in an estimate of the validation loss
    dtype: str = "float32"  # of the arithmetic: "float32" or "bfloat16" (the weights keep their own)
    seed: int = 1337
    device: str = "auto"  # "cuda", "mps" or "cpu"; "auto": the first of these that is available
    out_dir: str = "runs/latest"  # gets metrics.jsonl and checkpoint.pt
    tokenizer_hash: str = ""  # says which tokenizer made the ids; a checkpoint of another one is refused


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: list[tuple[torch.Tensor, torch.Tensor]],
    *,
    grad_clip: float | None = 1.0,
    dtype: torch.dtype = torch.float32,
) -> float:
    """One update of the weights from a list of micro-batches (x, y), all of one shape and on the model's device.

    The gradient is that of the mean loss over all micro-batches, as if they were one big batch. Yet each has its own
    forward and backward pass, one micro-batch after the other, so that memory has to hold only one. Gradients that
    earlier work left in `.grad` do not count. If the norm of the whole gradient, over all parameters together, is above
    `grad_clip`, the gradient is scaled down to it before the optimizer's step. None or 0 means no clipping.

    dtype: torch.bfloat16 runs the forward pass under torch.autocast in that type; weights, gradients and the returned
    loss stay float32. torch.float32 means no autocast.

    The model computes in train mode, whatever mode it was in before, and is left in it. Returns the mean loss before
    the update, a Python float.
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for x, y in micro_batches:
        with torch.autocast(x.device.type, dtype=dtype, enabled=dtype != torch.float32):
            _, loss = model(x, y)
        loss = loss / len(micro_batches)
        loss.backward()
        total += loss.detach()  # stays on the device: reading it here would wait for a GPU once per micro-batch
    if grad_clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()
    return float(total)
    ### END SOLUTION


@torch.no_grad()
def estimate_loss(
    model: nn.Module, ids: torch.Tensor, *, batch_size: int, block_size: int, batches: int, seed: int
) -> float:
    """The model's mean loss on ids (N,), estimated from `batches` random batches of get_batch, or from all of ids.

    A measurement leaves the run as it found it: the model is in eval mode while it is measured and afterwards in the
    mode it was in before, no gradients are computed, and torch's global random generator is not touched. The batches
    depend on `seed` alone, so equal weights give equal estimates. Batches go to the model's device.
    """
    ### BEGIN SOLUTION
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    total = 0.0
    try:
        for _ in range(batches):
            x, y = get_batch(ids, batch_size, block_size, generator)  # both (B, T)
            _, loss = model(x.to(device), y.to(device))
            total += loss.item()
    finally:
        model.train(was_training)
    return total / batches
    ### END SOLUTION


def train(
    model: nn.Module,
    train_ids: torch.Tensor,
    val_ids: torch.Tensor,
    config: TrainConfig,
    *,
    resume_from: str | os.PathLike | None = None,
) -> list[dict]:
    """Trains `model` in place on train_ids (N,) as `config` says, and measures it on val_ids (M,).

    Update number `step` (from 0) uses `make_optimizer`'s AdamW at learning_rate(step, max_steps=config.steps, ...) on
    accumulation_steps batches of get_batch. After every eval_interval updates, and after the last, a row is measured:

        step               updates made so far
        train_loss         mean loss of the updates since the row before
        val_loss           estimate_loss on val_ids with config's sizes, eval_batches and config.seed
        lr                 learning rate of the update just made
        tokens             trained on so far: step * accumulation_steps * batch_size * block_size
        seconds            since the run began
        tokens_per_second  of the updates alone, without the time for measuring and saving, and without this call's
                           first update, which pays for warming up. None if no update is left

    Returns the rows. out_dir/metrics.jsonl holds the same rows, one JSON object per line, from the moment each was
    measured. With each row, a checkpoint goes to out_dir/checkpoint.pt. Progress is shown on stderr.

    Everything random follows from config.seed (batches, dropout; the model's first weights are the caller's), so two
    runs are equal to the last bit, and so is a run that measures more often.

    resume_from: path of a checkpoint. The run goes on from there, and ends with the very weights that it would have had
    without the break. Rows of metrics.jsonl up to the checkpoint are kept; later ones are dropped and made anew. Raises
    ValueError if the checkpoint's tokenizer_hash is not config.tokenizer_hash; the message gives both.

    A loss that is not finite, or more than 100 nats above the first update's, ends the run at once: FloatingPointError
    (or another ArithmeticError, RuntimeError or ValueError) with a message that gives the step and says what to look
    at, the learning rate first. No checkpoint is written for such a state.
    """
    ### BEGIN SOLUTION
    device = pick_device(config.device)
    model.to(device)
    optimizer = make_optimizer(model, learning_rate=config.max_lr, betas=config.betas, weight_decay=config.weight_decay)
    torch.manual_seed(config.seed)
    batches = torch.Generator().manual_seed(config.seed)
    out_dir = Path(config.out_dir)
    start, rows = 0, []
    if resume_from is not None:
        checkpoint = load_checkpoint(resume_from)
        refuse_other_tokenizer(checkpoint, config)
        start = restore(checkpoint, model, optimizer, batches, device)
        rows = [row for row in read_metrics(out_dir / "metrics.jsonl") if row["step"] <= start]
    out_dir.mkdir(parents=True, exist_ok=True)
    write_metrics(out_dir / "metrics.jsonl", rows)

    meter = Meter(config, seconds_before=rows[-1]["seconds"] if rows else 0.0)
    for step in range(start, config.steps):
        update_began = time.perf_counter()
        lr = set_learning_rate(optimizer, step, config)
        micro_batches = draw_micro_batches(train_ids, batches, config, device)
        dtype = getattr(torch, config.dtype)
        loss = train_step(model, optimizer, micro_batches, grad_clip=config.grad_clip, dtype=dtype)
        if step == start:
            first_loss = loss
        check_loss("training", loss, first_loss, step, config)
        meter.losses.append(loss)
        if step > start:  # reading the loss waited for the device, so the clock is right
            meter.durations.append(time.perf_counter() - update_began)
        if (step + 1) % config.eval_interval and step + 1 < config.steps:
            continue

        val_loss = validation_loss(model, val_ids, config)
        check_loss("validation", val_loss, first_loss, step, config)
        rows.append(meter.row(step + 1, lr, val_loss))
        write_metrics(out_dir / "metrics.jsonl", rows)
        save_checkpoint(
            out_dir / "checkpoint.pt",
            model=model,
            optimizer=optimizer,
            step=step + 1,
            config=config,
            tokenizer_hash=config.tokenizer_hash,
            rng=random_state(batches, device),
        )
        show_progress(rows[-1], config.steps)
    return rows
    ### END SOLUTION


# Helpers of the loop: they are yours to rename or to drop


def pick_device(name: str) -> torch.device:
    """The device that TrainConfig.device names."""
    ### BEGIN SOLUTION
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    ### END SOLUTION


def random_state(batches: torch.Generator, device: torch.device) -> dict[str, torch.Tensor]:
    """The states of all generators that a run draws from: the batches' own and torch's global ones (dropout)."""
    ### BEGIN SOLUTION
    state = {"batches": batches.get_state(), "torch": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = getattr(torch, device.type).get_rng_state()
    return state
    ### END SOLUTION


def restore(
    checkpoint: dict,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: torch.Generator,
    device: torch.device,
) -> int:
    """Puts a checkpoint's state into model, optimizer and generators. Returns how many updates were made before it."""
    ### BEGIN SOLUTION
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    batches.set_state(checkpoint["rng"]["batches"])
    torch.set_rng_state(checkpoint["rng"]["torch"])
    if device.type in checkpoint["rng"]:  # absent if the run began on another kind of device
        getattr(torch, device.type).set_rng_state(checkpoint["rng"][device.type])
    return checkpoint["step"]
    ### END SOLUTION


def refuse_other_tokenizer(checkpoint: dict, config: TrainConfig) -> None:
    """Raises ValueError if the checkpoint's tokenizer is not config's: the same id would mean another token."""
    ### BEGIN SOLUTION
    if checkpoint["tokenizer_hash"] != config.tokenizer_hash:
        raise ValueError(
            f"the checkpoint was trained with tokenizer {checkpoint['tokenizer_hash']!r}, but these ids come from"
            f" tokenizer {config.tokenizer_hash!r}: make them with the first one, or start a new run"
        )
    ### END SOLUTION


def check_loss(kind: str, loss: float, first_loss: float, step: int, config: TrainConfig) -> None:
    """Raises FloatingPointError if the loss says that the run can't be saved any more."""
    ### BEGIN SOLUTION
    if math.isfinite(loss) and loss <= first_loss + 100:
        return
    raise FloatingPointError(
        f"the {kind} loss is {loss:.6g} at step {step}, and was {first_loss:.6g} at first. Look at the learning rate"
        f" (max_lr {config.max_lr:g}; try a tenth, and more than {config.warmup_steps} steps of warm-up), then at"
        f" grad_clip ({config.grad_clip}), then at the batch of this step: are all ids below the model's vocab_size?"
    )
    ### END SOLUTION


def read_metrics(path: Path) -> list[dict]:
    """The rows in metrics.jsonl; none if there is no such file."""
    ### BEGIN SOLUTION
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    ### END SOLUTION


def write_metrics(path: Path, rows: list[dict]) -> None:
    """Replaces metrics.jsonl as a whole, so that a reader never meets half a line."""
    ### BEGIN SOLUTION
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(unfinished, path)
    ### END SOLUTION


def show_progress(row: dict, steps: int) -> None:
    """Prints one line per row to stderr: a bar, the losses, the speed."""
    ### BEGIN SOLUTION
    filled = 20 * row["step"] // steps
    speed = f"{row['tokens_per_second']:,.0f} tokens/s" if row["tokens_per_second"] else "warming up"
    print(
        f"[{'#' * filled}{'.' * (20 - filled)}] {row['step']}/{steps}  train {row['train_loss']:.4f}"
        f"  val {row['val_loss']:.4f}  lr {row['lr']:.2e}  {speed}",
        file=sys.stderr,
    )
    ### END SOLUTION


### BEGIN SOLUTION
class Meter:
    """Collects what a row reports: the time of the run, and the losses and durations of the updates since the last row.

    The first update of a call has a loss here and no duration: it pays for warming up.
    """

    def __init__(self, config: TrainConfig, seconds_before: float):
        self.tokens_per_update = config.accumulation_steps * config.batch_size * config.block_size
        self.run_began = time.perf_counter() - seconds_before
        self.losses: list[float] = []
        self.durations: list[float] = []

    def row(self, updates: int, lr: float, val_loss: float) -> dict:
        """The row to write after so many updates. Forgets the losses and durations that are in it."""
        timed_tokens = len(self.durations) * self.tokens_per_update
        row = {
            "step": updates,
            "train_loss": sum(self.losses) / len(self.losses),
            "val_loss": val_loss,
            "lr": lr,
            "tokens": updates * self.tokens_per_update,
            "seconds": time.perf_counter() - self.run_began,
            "tokens_per_second": timed_tokens / sum(self.durations) if self.durations else None,
        }
        self.losses, self.durations = [], []
        return row


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, config: TrainConfig) -> float:
    """Gives all groups of the optimizer the rate of update number `step`, and returns it."""
    lr = learning_rate(
        step,
        max_lr=config.max_lr,
        min_lr=config.min_lr,
        warmup_steps=config.warmup_steps,
        max_steps=config.steps,
    )
    for group in optimizer.param_groups:
        group["lr"] = lr
    return lr


def draw_micro_batches(
    ids: torch.Tensor, batches: torch.Generator, config: TrainConfig, device: torch.device
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The micro-batches (x, y) of one update, from ids (N,)."""
    micro_batches = []
    for _ in range(config.accumulation_steps):
        x, y = get_batch(ids, config.batch_size, config.block_size, batches)  # both (B, T)
        micro_batches.append((x.to(device), y.to(device)))
    return micro_batches


def validation_loss(model: nn.Module, val_ids: torch.Tensor, config: TrainConfig) -> float:
    """estimate_loss as config says. The seed never changes, so all rows are measured on the same batches."""
    return estimate_loss(
        model,
        val_ids,
        batch_size=config.batch_size,
        block_size=config.block_size,
        batches=config.eval_batches,
        seed=config.seed,
    )


### END SOLUTION
