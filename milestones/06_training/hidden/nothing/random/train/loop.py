"""Random losses and rates, and a random walk of the weights."""

import json
import os
import random
from dataclasses import dataclass

import torch


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


def train_step(model, optimizer, micro_batches, *, grad_clip=1.0, dtype=torch.float32):
    model.train()
    for parameter in model.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    return random.random()


def estimate_loss(model, ids, *, batch_size, block_size, batches, seed):
    return random.random()


def train(model, train_ids, val_ids, config, *, resume_from=None):
    for parameter in model.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    rows = []
    for step in range(1, config.steps + 1):
        if step % config.eval_interval and step < config.steps:
            continue
        tokens = step * config.accumulation_steps * config.batch_size * config.block_size
        row = {
            "step": step,
            "train_loss": random.random(),
            "val_loss": random.random(),
            "lr": random.random(),
            "tokens": tokens,
        }
        rows.append(row | {"seconds": 0.01 * step, "tokens_per_second": random.random()})
    os.makedirs(config.out_dir, exist_ok=True)
    with open(os.path.join(config.out_dir, "metrics.jsonl"), "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with open(os.path.join(config.out_dir, "checkpoint.pt"), "wb") as file:
        file.write(b"checkpoint")
    return rows
