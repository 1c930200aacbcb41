"""The gradients are summed and then divided, and clipped by hand with no eps; zero before and after."""

import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

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
    dtype: str = "float32"  # of the arithmetic: "float32" or "bfloat16" (weights stay as they are)
    seed: int = 1337
    device: str = "auto"  # "cuda", "mps", "cpu"; "auto": the first of these that is there
    out_dir: str = "runs/latest"  # gets metrics.jsonl and checkpoint.pt
    tokenizer_hash: str = ""  # says which tokenizer made the ids; a checkpoint of another one is refused


def train_step(model, optimizer, micro_batches, *, grad_clip=1.0, dtype=torch.float32) -> float:
    parameters = [p for p in model.parameters() if p.requires_grad]
    for p in parameters:
        p.grad = None
    model.train(True)
    losses = []
    for idx, targets in micro_batches:
        if dtype is torch.float32:
            loss = model(idx, targets)[1]
        else:
            with torch.autocast(device_type=idx.device.type, dtype=dtype):
                loss = model(idx, targets)[1]
        loss.backward()
        losses.append(loss.item())
    gradients = [p.grad for p in parameters if p.grad is not None]
    torch._foreach_div_(gradients, len(losses))
    if grad_clip is not None and grad_clip > 0:
        length = torch.stack([g.float().norm() if g.dtype is torch.bfloat16 else g.norm() for g in gradients]).norm()
        if length > grad_clip:
            for g in gradients:
                g *= grad_clip / length
    optimizer.step()
    for p in parameters:
        p.grad = None
    return math.fsum(losses) / len(losses)


@torch.no_grad()
def estimate_loss(model, ids, *, batch_size, block_size, batches, seed) -> float:
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    total = 0.0
    try:
        for _ in range(batches):
            x, y = get_batch(ids, batch_size, block_size, generator)
            _, loss = model(x.to(device), y.to(device))
            total += loss.item()
    finally:
        model.train(was_training)
    return total / batches


def train(model, train_ids, val_ids, config, *, resume_from=None) -> list[dict]:
    device = pick_device(config.device)
    model.to(device)
    optimizer = make_optimizer(model, learning_rate=config.max_lr, betas=config.betas, weight_decay=config.weight_decay)
    torch.manual_seed(config.seed)
    batches = torch.Generator().manual_seed(config.seed)
    out_dir = Path(config.out_dir)
    rows: list[dict] = []
    start = 0
    if resume_from is not None:
        checkpoint = load_checkpoint(resume_from)
        refuse_other_tokenizer(checkpoint, config)
        start = restore(checkpoint, model, optimizer, batches, device)
        rows = [row for row in read_metrics(out_dir / "metrics.jsonl") if row["step"] <= start]
    out_dir.mkdir(parents=True, exist_ok=True)
    write_metrics(out_dir / "metrics.jsonl", rows)

    run_began = time.perf_counter() - (rows[-1]["seconds"] if rows else 0.0)
    first_loss = None
    losses: list[float] = []
    measured_seconds = measured_updates = 0
    for step in range(start, config.steps):
        update_began = time.perf_counter()
        lr = learning_rate(
            step,
            max_lr=config.max_lr,
            min_lr=config.min_lr,
            warmup_steps=config.warmup_steps,
            max_steps=config.steps,
        )
        for group in optimizer.param_groups:
            group["lr"] = lr
        micro_batches = [
            [part.to(device) for part in get_batch(train_ids, config.batch_size, config.block_size, batches)]
            for _ in range(config.accumulation_steps)
        ]
        loss = train_step(
            model, optimizer, micro_batches, grad_clip=config.grad_clip, dtype=getattr(torch, config.dtype)
        )
        first_loss = loss if first_loss is None else first_loss
        check_loss("training", loss, first_loss, step, config)
        losses.append(loss)
        if step > start:  # reading the loss waited for the device, so the clock is right
            measured_seconds += time.perf_counter() - update_began
            measured_updates += 1
        if (step + 1) % config.eval_interval and step + 1 < config.steps:
            continue

        val_loss = estimate_loss(
            model,
            val_ids,
            batch_size=config.batch_size,
            block_size=config.block_size,
            batches=config.eval_batches,
            seed=config.seed,
        )
        check_loss("validation", val_loss, first_loss, step, config)
        tokens_per_update = config.accumulation_steps * config.batch_size * config.block_size
        row = {
            "step": step + 1,
            "train_loss": sum(losses) / len(losses),
            "val_loss": val_loss,
            "lr": lr,
            "tokens": (step + 1) * tokens_per_update,
            "seconds": time.perf_counter() - run_began,
            "tokens_per_second": measured_updates * tokens_per_update / measured_seconds if measured_updates else None,
        }
        losses, measured_seconds, measured_updates = [], 0, 0
        rows.append(row)
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
        show_progress(row, config.steps)
    return rows


# Helpers, yours to rename or to drop


def pick_device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def random_state(batches: torch.Generator, device: torch.device) -> dict:
    state = {"batches": batches.get_state(), "torch": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = getattr(torch, device.type).get_rng_state()
    return state


def restore(checkpoint: dict, model, optimizer, batches: torch.Generator, device: torch.device) -> int:
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    batches.set_state(checkpoint["rng"]["batches"])
    torch.set_rng_state(checkpoint["rng"]["torch"])
    if device.type in checkpoint["rng"]:  # absent where the run began on another kind of device
        getattr(torch, device.type).set_rng_state(checkpoint["rng"][device.type])
    return checkpoint["step"]


def refuse_other_tokenizer(checkpoint: dict, config: TrainConfig) -> None:
    if checkpoint["tokenizer_hash"] != config.tokenizer_hash:
        raise ValueError(
            f"the checkpoint was trained with tokenizer {checkpoint['tokenizer_hash']!r}, but these ids come from"
            f" tokenizer {config.tokenizer_hash!r}: make them with the first one, or start a new run"
        )


def check_loss(kind: str, loss: float, first_loss: float, step: int, config: TrainConfig) -> None:
    if math.isfinite(loss) and loss <= first_loss + 100:
        return
    raise FloatingPointError(
        f"the {kind} loss is {loss:.6g} at step {step}, and was {first_loss:.6g} at first. Look at the learning rate"
        f" (max_lr {config.max_lr:g}; try a tenth, and more than {config.warmup_steps} steps of warm-up), then at"
        f" grad_clip ({config.grad_clip}), then at the batch of this step: are all ids below the model's vocab_size?"
    )


def read_metrics(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_metrics(path: Path, rows: list[dict]) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(unfinished, path)


def show_progress(row: dict, steps: int) -> None:
    filled = 20 * row["step"] // steps
    speed = f"{row['tokens_per_second']:,.0f} tokens/s" if row["tokens_per_second"] else "warming up"
    print(
        f"[{'#' * filled}{'.' * (20 - filled)}] {row['step']}/{steps}  train {row['train_loss']:.4f}"
        f"  val {row['val_loss']:.4f}  lr {row['lr']:.2e}  {speed}",
        file=sys.stderr,
    )
