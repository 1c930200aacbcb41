"""Counts by building the model where tensors have no data; intervals from a bootstrap over the points."""

import itertools
import json
import os
import resource
import time
from dataclasses import asdict, replace

import torch

from model.transformer import GPT
from sample.generate import generate
from train.data import get_batch
from train.loop import estimate_loss, train, train_step
from train.optim import make_optimizer


def _shapes(config):
    with torch.device("meta"):
        return {name: parameter.shape for name, parameter in GPT(config).named_parameters()}


def count_parameters(config):
    return sum(shape.numel() for shape in _shapes(config).values())


def flops_per_token(config):
    weights = count_parameters(config) - config.block_size * config.n_embd
    attention = 2 * config.n_layer * config.n_embd * config.block_size
    return 6 * (weights + attention)


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    total = 0.0
    for number in range(warmup + steps):
        synchronize()
        before = clock()
        step()
        synchronize()
        if number >= warmup:
            total += clock() - before
    return tokens_per_step * steps / total


def _line(u, v):
    """Least squares along the last dimension: (slope, intercept)."""
    du = u - u.mean(-1, keepdim=True)
    slope = (du * v).sum(-1) / (du * du).sum(-1)
    return slope, v.mean(-1) - slope * u.mean(-1)


def fit_power_law(x, y):
    u, v = torch.as_tensor(x, dtype=torch.float64).log(), torch.as_tensor(y, dtype=torch.float64).log()
    slope, intercept = _line(u, v)
    if len(u) < 5:
        return slope.item(), intercept.exp().item(), None
    picks = torch.randint(len(u), (2000, len(u)), generator=torch.Generator().manual_seed(0))
    picks = picks[(u[picks].std(-1) > 0)]  # the same point n times has no slope
    slopes = _line(u[picks], v[picks])[0]
    low, high = torch.quantile(slopes, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return slope.item(), intercept.exp().item(), (low, high)


def _quality(ids):
    pairs = list(itertools.pairwise(ids))
    fours = list(zip(ids, ids[1:], ids[2:], ids[3:], strict=False))
    return {"distinct_2": len(set(pairs)) / len(pairs), "repetition": (len(fours) - len(set(fours))) / len(fours)}


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    os.makedirs(out_dir, exist_ok=True)
    entries = []
    for size in configs:
        torch.manual_seed(config.seed)
        model = GPT(size)
        where = os.path.join(out_dir, f"{size.n_layer}x{size.n_embd}")
        curve = train(model, train_ids, val_ids, replace(config, out_dir=where))
        val_loss = estimate_loss(
            model, val_ids, batch_size=config.batch_size, block_size=config.block_size, batches=50, seed=99
        )
        written = generate(model, torch.zeros(1, 1, dtype=torch.int64), 150, use_cache=False)[0].tolist()
        batch = get_batch(train_ids, config.batch_size, config.block_size)
        optimizer = make_optimizer(model, learning_rate=1e-4)
        per_step = config.batch_size * config.block_size
        entries.append(
            {
                "config": asdict(size),
                "parameters": count_parameters(size),
                "flops_per_token": flops_per_token(size),
                "tokens": config.steps * per_step * config.accumulation_steps,
                "curve": curve,
                "val_loss": val_loss,
                "tokens_per_second": measure_throughput(
                    lambda model=model, optimizer=optimizer, batch=batch: train_step(model, optimizer, [batch]),
                    tokens_per_step=per_step,
                    warmup=1,
                    steps=3,
                    clock=time.monotonic,
                    synchronize=lambda: None,
                ),
                "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                "sample": written,
                **_quality(written),
            }
        )
    law = fit_power_law([e["parameters"] for e in entries], [e["val_loss"] for e in entries])
    study = {
        "shared": {
            "steps": config.steps,
            "batch_size": config.batch_size,
            "block_size": config.block_size,
            "accumulation_steps": config.accumulation_steps,
            "seed": config.seed,
            "train_tokens": len(train_ids),
            "val_tokens": len(val_ids),
        },
        "sizes": entries,
        "fit": dict(zip(("exponent", "coefficient", "interval"), law, strict=True)),
    }
    with open(os.path.join(out_dir, "study.json"), "w") as file:
        json.dump(study, file)
    with open(os.path.join(out_dir, "report.md"), "w") as file:
        print("| parameters | val loss |\n|--:|--:|", file=file)
        for e in entries:
            print(f"| {e['parameters']:,} | {e['val_loss']:.3f} |", file=file)
    return study
