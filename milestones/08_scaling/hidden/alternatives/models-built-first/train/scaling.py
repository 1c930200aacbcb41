"""All models are built first, each from the seed in a forked generator state; an exact t quantile by bisection."""

import json
import math
import pathlib
import resource
import time
from dataclasses import asdict, fields, replace

import torch

from model.transformer import GPT
from sample.generate import generate
from train.data import get_batch
from train.loop import TrainConfig, train


def count_parameters(config):
    from math import prod

    C, L = config.n_embd, config.n_layer
    shapes = [(config.vocab_size, C), (config.block_size, C), (2, C)]
    shapes += [
        (L, C, 3 * C),
        (L, 3 * C),
        (L, C, C),
        (L, C),
        (L, C, 4 * C),
        (L, 4 * C),
        (L, 4 * C, C),
        (L, C),
        (L, 4, C),
    ]
    return sum(map(prod, shapes))


def flops_per_token(config):
    T, C = config.block_size, config.n_embd
    return 6 * (count_parameters(config) - T * C + 2 * config.n_layer * C * T)


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    stamps = []
    for number in range(warmup + steps + 1):
        if number >= warmup:
            synchronize()
            stamps.append(clock())
        if number < warmup + steps:
            step()
    return tokens_per_step * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def t_density(t, df):
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))


def t_half(t, df, pieces=400):
    """The probability between 0 and t, by Simpson's rule."""
    h = t / pieces
    inner = sum((4 if i % 2 else 2) * t_density(i * h, df) for i in range(1, pieces))
    return h / 3 * (t_density(0, df) + inner + t_density(t, df))


def t_975(df):
    low, high = 1.9, 13.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if t_half(middle, df) < 0.475 else (low, middle)
    return low


def fit_power_law(x, y):
    design = torch.stack([torch.ones(len(x)).double(), torch.tensor(x).double().log()], dim=1)
    target = torch.tensor(y).double().log()
    inverse = torch.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ target
    intercept, slope = beta.tolist()
    if len(x) < 5:
        return [slope, math.exp(intercept), None]
    left = target - design @ beta
    variance = left.square().sum() / (len(x) - 2)
    half = t_975(len(x) - 2) * torch.sqrt(variance * inverse[1, 1]).item()
    return [slope, math.exp(intercept), [slope - half, slope + half]]


def new_share(ids, n):
    """The share of n-grams that were not there before."""
    seen, new = set(), 0
    for i in range(n, len(ids) + 1):
        gram = tuple(ids[i - n : i])
        new += gram not in seen
        seen.add(gram)
    return new / (len(ids) - n + 1)


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    folder = pathlib.Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    models = []
    for size in configs:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            models.append(GPT(size))
    curves = [
        train(model, train_ids, val_ids, replace(config, out_dir=str(folder / str(number))))
        for number, model in enumerate(models)
    ]
    sizes = [
        describe(size, model, curve, train_ids, config)
        for size, model, curve in zip(configs, models, curves, strict=True)
    ]
    law = fit_power_law([float(s["parameters"]) for s in sizes], [s["val_loss"] for s in sizes])
    wanted = {"steps", "batch_size", "block_size", "accumulation_steps", "seed"}
    study = {
        "shared": {f.name: getattr(config, f.name) for f in fields(TrainConfig) if f.name in wanted},
        "sizes": sizes,
        "fit": {"exponent": law[0], "coefficient": law[1], "interval": law[2]},
        "notes": "one seed",
    }
    study["shared"]["train_tokens"], study["shared"]["val_tokens"] = len(train_ids), len(val_ids)
    (folder / "study.json").write_text(json.dumps(study, indent=1))
    rows = "".join(
        f"| **{s['parameters']:,}** | {s['flops_per_token']:,} | {s['val_loss']:.3f} | {s['tokens_per_second']:.0f} |\n"
        for s in sizes
    )
    head = "| N | FLOPs/token | val | tokens/s |\n|---|---|---|---|\n"
    (folder / "report.md").write_text("Sizes compared\n==============\n\n" + head + rows)
    return study


def describe(size, model, curve, train_ids, config):
    ids = generate(model, torch.tensor([[3]]), 110, temperature=1.0, generator=torch.Generator().manual_seed(8))
    ids = ids[0].tolist()
    x, y = get_batch(train_ids, config.batch_size, config.block_size)

    def step():
        model.train()
        model.zero_grad()
        model(x, y)[1].backward()

    return {
        "config": asdict(size),
        "parameters": count_parameters(size),
        "flops_per_token": flops_per_token(size),
        "tokens": config.accumulation_steps * config.steps * x.numel(),
        "curve": curve,
        "val_loss": curve[-1]["val_loss"],
        "tokens_per_second": measure_throughput(
            step, tokens_per_step=x.numel(), warmup=2, steps=4, clock=time.perf_counter, synchronize=lambda: None
        ),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sample": ids,
        "distinct_2": new_share(ids, 2),
        "repetition": 1 - new_share(ids, 4),
    }
