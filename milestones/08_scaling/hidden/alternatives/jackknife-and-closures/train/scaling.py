"""One function that holds all others; the interval from a jackknife; the warm-up as a generator."""

import itertools
import json
import math
import resource
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from model.transformer import GPT
from sample.generate import generate
from train.loop import train, train_step
from train.optim import make_optimizer


def count_parameters(config):
    C = config.n_embd
    return sum([config.vocab_size * C, config.block_size * C, *[12 * C**2, 13 * C] * config.n_layer, C, C])


def flops_per_token(config):
    wpe = config.block_size * config.n_embd
    return 6 * count_parameters(config) + (12 * config.n_layer - 6) * wpe


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    def finished():
        for number in itertools.count():
            synchronize()
            yield number, clock()
            step()

    times = dict(itertools.islice(finished(), warmup + steps + 1))
    return steps * tokens_per_step / (times[warmup + steps] - times[warmup])


def fit_power_law(x, y):
    logs = [tuple(map(math.log, pair)) for pair in zip(x, y, strict=True)]

    def slope(points):
        pairs = list(itertools.combinations(points, 2))
        weights = [(a[0] - b[0]) ** 2 for a, b in pairs]
        return sum((a[0] - b[0]) * (a[1] - b[1]) for a, b in pairs) / sum(weights)

    exponent = slope(logs)
    n = len(logs)
    coefficient = math.exp(sum(v - exponent * u for u, v in logs) / n)
    if n < 5:
        return exponent, coefficient, None
    others = [slope(logs[:i] + logs[i + 1 :]) for i in range(n)]
    middle = sum(others) / n
    error = math.sqrt((n - 1) / n * sum((one - middle) ** 2 for one in others))
    t = 1.959964 + 2.372271 / (n - 2) + 2.822503 / (n - 2) ** 2 + 2.555852 / (n - 2) ** 3
    return exponent, coefficient, (exponent - t * error, exponent + t * error)


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    out_dir = Path(out_dir)
    tokens_per_step = config.batch_size * config.block_size * config.accumulation_steps

    def trained(size):
        torch.manual_seed(config.seed)
        model = GPT(size)
        name = "-".join(str(value) for value in asdict(size).values())
        return model, train(model, train_ids, val_ids, replace(config, out_dir=str(out_dir / name)))

    def speed(model):
        optimizer = make_optimizer(model, learning_rate=config.max_lr)
        starts = torch.arange(config.batch_size)[:, None] + torch.arange(config.block_size)
        batch = train_ids[starts], train_ids[starts + 1]
        return measure_throughput(
            lambda: train_step(model, optimizer, [batch] * config.accumulation_steps, grad_clip=config.grad_clip),
            tokens_per_step=tokens_per_step,
            warmup=1,
            steps=3,
            clock=time.perf_counter,
            synchronize=lambda: None,
        )

    def grams(ids, n):
        return [tuple(ids[i:][:n]) for i in range(len(ids) - n + 1)]

    def entry(size):
        model, curve = trained(size)
        ids = generate(model, torch.zeros(1, 1).long(), 130, top_p=0.95)[0].tolist()
        return {
            "config": asdict(size),
            "parameters": count_parameters(size),
            "flops_per_token": flops_per_token(size),
            "tokens": config.steps * tokens_per_step,
            "curve": curve,
            "val_loss": curve[-1]["val_loss"],
            "tokens_per_second": speed(model),
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "sample": ids,
            "distinct_2": len(set(grams(ids, 2))) / len(grams(ids, 2)),
            "repetition": sum(gram in grams(ids, 4)[:i] for i, gram in enumerate(grams(ids, 4))) / (len(ids) - 3),
        }

    entries = list(map(entry, configs))
    exponent, coefficient, interval = fit_power_law(*([e[key] for e in entries] for key in ("parameters", "val_loss")))
    study = {
        "fit": {"exponent": exponent, "coefficient": coefficient, "interval": interval},
        "sizes": entries,
        "shared": {
            "steps": config.steps,
            "batch_size": config.batch_size,
            "block_size": config.block_size,
            "accumulation_steps": config.accumulation_steps,
            "seed": config.seed,
            "train_tokens": len(train_ids),
            "val_tokens": len(val_ids),
        },
    }
    (out_dir / "study.json").write_text(json.dumps(study, separators=(",", ":")))
    text = "|parameters|val_loss|repetition|\n|-|-|-|\n"
    for e in entries:
        text += "|{parameters}|{val_loss:.3f}|{repetition:.2f}|\n".format(**e)
    (out_dir / "report.md").write_text(text)
    return study
