"""The loop is a class; torch's LambdaLR sets the rate, rows are appended to the file, speed is an average."""

import json
import math
import pathlib
import sys
from dataclasses import dataclass
from time import monotonic

import torch
from torch.optim.lr_scheduler import LambdaLR

from train import checkpoint as checkpoints
from train.data import get_batch
from train.optim import make_optimizer
from train.schedule import learning_rate


@dataclass
class TrainConfig:
    steps: int = 2000
    batch_size: int = 32
    block_size: int = 64
    max_lr: float = 1e-3
    min_lr: float = 1e-4
    warmup_steps: int = 100
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    grad_clip: float | None = 1.0
    accumulation_steps: int = 1
    eval_interval: int = 100
    eval_batches: int = 20
    dtype: str = "float32"
    seed: int = 1337
    device: str = "auto"
    out_dir: str = "runs/latest"
    tokenizer_hash: str = ""


def train_step(model, optimizer, micro_batches, *, grad_clip=1.0, dtype=torch.float32) -> float:
    model.train()
    model.zero_grad()
    count = len(micro_batches)
    losses = [_forward_backward(model, x, y, 1 / count, dtype) for x, y in micro_batches]
    if grad_clip:
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), grad_clip, norm)
    optimizer.step()
    return sum(losses) / count


def _forward_backward(model, x, y, weight, dtype):
    with torch.autocast(x.device.type, dtype, enabled=dtype in (torch.bfloat16, torch.float16)):
        loss = model(x, y)[-1]
    (weight * loss).backward()
    return loss.item()


def estimate_loss(model, ids, *, batch_size, block_size, batches, seed) -> float:
    trainer_mode, model.training = model.training, False
    model.eval()
    try:
        with torch.no_grad():
            return _mean_loss(model, ids, batch_size, block_size, batches, torch.Generator().manual_seed(seed))
    finally:
        model.train(mode=trainer_mode)


def _mean_loss(model, ids, batch_size, block_size, batches, generator):
    """All windows at once, then in chunks through the model."""
    x, y = get_batch(ids, batch_size * batches, block_size, generator)
    device = next(model.parameters()).device
    chunks = zip(x.to(device).chunk(batches), y.to(device).chunk(batches), strict=True)
    return float(torch.tensor([model(*chunk)[1] for chunk in chunks], dtype=torch.float64).mean())


class Trainer:
    def __init__(self, model, train_ids, val_ids, config):
        self.model, self.train_ids, self.val_ids, self.config = model, train_ids, val_ids, config
        names = {"auto": "cuda" if torch.cuda.is_available() else "cpu"}
        self.device = torch.device(names.get(config.device, config.device))
        self.model.to(self.device)
        # LambdaLR multiplies the optimizer's rate, so that is 1 and the lambda gives the rate itself.
        self.optimizer = make_optimizer(model, learning_rate=1.0, betas=config.betas, weight_decay=config.weight_decay)
        torch.manual_seed(config.seed)
        self.generator = torch.Generator()
        self.generator.manual_seed(config.seed + 1)
        self.done = 0
        self.folder = pathlib.Path(config.out_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "metrics.jsonl"
        self.rows = []

    def rate(self, step):
        c = self.config
        return learning_rate(step, max_lr=c.max_lr, min_lr=c.min_lr, warmup_steps=c.warmup_steps, max_steps=c.steps)

    def resume(self, path):
        state = checkpoints.load_checkpoint(path)
        theirs, ours = state["tokenizer_hash"], self.config.tokenizer_hash
        if theirs != ours:
            raise ValueError(f"checkpoint of tokenizer {theirs}, ids of tokenizer {ours}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["initial_lr"] = 1.0
        self.generator.set_state(state["rng"]["windows"])
        torch.set_rng_state(state["rng"]["dropout"])
        self.done = state["step"]
        if self.file.exists():
            rows = map(json.loads, self.file.read_text().splitlines())
            self.rows = [row for row in rows if row["step"] <= self.done]

    def micro_batches(self):
        c = self.config
        for _ in range(c.accumulation_steps):
            x, y = get_batch(self.train_ids, c.batch_size, c.block_size, self.generator)
            yield x.to(self.device), y.to(self.device)

    def run(self):
        c = self.config
        self.file.write_text("".join(f"{json.dumps(row)}\n" for row in self.rows))
        schedule = LambdaLR(self.optimizer, self.rate, last_epoch=self.done - 1)
        began = monotonic() - (self.rows[-1]["seconds"] if self.rows else 0)
        speed, losses, first = Speed(c), [], None
        while self.done < c.steps:
            with speed:
                lr = self.optimizer.param_groups[0]["lr"]
                loss = train_step(
                    self.model, self.optimizer, list(self.micro_batches()), grad_clip=c.grad_clip,
                    dtype={"float32": torch.float32, "bfloat16": torch.bfloat16}[c.dtype],
                )  # fmt: skip
                schedule.step()
            first = loss if first is None else first
            self.stop_if_hopeless(loss, first)
            self.done += 1
            losses.append(loss)
            if self.done % c.eval_interval == 0 or self.done == c.steps:
                self.measure(lr, losses, monotonic() - began, speed.value())
                losses.clear()
        return self.rows

    def stop_if_hopeless(self, loss, first):
        if math.isnan(loss) or math.isinf(loss) or loss - first > 100:
            raise RuntimeError(
                f"Step {self.done}: loss {loss}. Lower the learning rate first; then look at grad_clip and at the data."
            )

    def measure(self, lr, losses, seconds, speed):
        c = self.config
        val_loss = estimate_loss(
            self.model, self.val_ids, batch_size=c.batch_size, block_size=c.block_size, batches=c.eval_batches,
            seed=c.seed,
        )  # fmt: skip
        row = {
            "step": self.done,
            "train_loss": math.fsum(losses) / len(losses),
            "val_loss": val_loss,
            "lr": lr,
            "tokens": self.done * c.accumulation_steps * c.batch_size * c.block_size,
            "seconds": seconds,
            "tokens_per_second": speed,
            "device": str(self.device),
        }
        self.rows.append(row)
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        checkpoints.save_checkpoint(
            self.folder / "checkpoint.pt", model=self.model, optimizer=self.optimizer, step=self.done, config=c,
            tokenizer_hash=c.tokenizer_hash,
            rng={"windows": self.generator.get_state(), "dropout": torch.get_rng_state()},
        )  # fmt: skip
        sys.stderr.write(f"step {self.done:6d}  val {val_loss:.3f}\n")


class Speed:
    """Tokens per second of all updates of this call but the first."""

    def __init__(self, config):
        self.tokens = config.accumulation_steps * config.batch_size * config.block_size
        self.updates, self.seconds = -1, 0.0

    def __enter__(self):
        self.entered = monotonic()

    def __exit__(self, *_):
        self.updates += 1
        if self.updates:
            self.seconds += monotonic() - self.entered

    def value(self):
        return self.tokens * self.updates / self.seconds if self.updates else None


def train(model, train_ids, val_ids, config, *, resume_from=None) -> list[dict]:
    trainer = Trainer(model, train_ids, val_ids, config)
    if resume_from is not None:
        trainer.resume(resume_from)
    return trainer.run()
