"""A GPT whose linear layers and norms have no biases, and a count that knows it; a dict as the fit; top-k samples."""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from model.transformer import GPT
from sample.generate import generate
from train.data import get_batch
from train.loop import train, train_step
from train.optim import make_optimizer


def count_parameters(config):
    width = config.n_embd
    return width * (config.vocab_size + config.block_size + 1) + config.n_layer * (12 * width**2 + 2 * width)


def flops_per_token(config):
    learned = count_parameters(config) - config.n_embd * config.block_size
    return 2 * 3 * learned + 3 * 2 * 2 * config.n_layer * config.n_embd * config.block_size


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    [step() for _ in range(warmup)]
    synchronize()
    start = clock()
    [step() for _ in range(steps)]
    synchronize()
    elapsed = clock() - start
    return tokens_per_step / (elapsed / steps)


def fit_power_law(x, y):
    n = len(x)
    logs = [(math.log(a), math.log(b)) for a, b in zip(x, y, strict=True)]
    sx, sy = (sum(p[k] for p in logs) for k in (0, 1))
    sxx, sxy = (sum(p[0] * p[k] for p in logs) for k in (0, 1))
    exponent = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    intercept = (sy - exponent * sx) / n
    fit = {"exponent": exponent, "coefficient": math.exp(intercept), "interval": None}
    if n >= 5:
        rest = sum((b - intercept - exponent * a) ** 2 for a, b in logs)
        error = math.sqrt(rest / (n - 2) / (sxx - sx * sx / n))
        d = n - 2
        t = 1.959964 + 2.372271 / d + 2.822503 / d**2 + 2.555852 / d**3 + 1.58953 / d**4
        fit["interval"] = (exponent - t * error, exponent + t * error)
    return fit


def share_of_different(sequence, n):
    text = ",".join(map(str, sequence)).split(",")
    all_of_them = [" ".join(text[i : i + n]) for i in range(len(text) + 1 - n)]
    return len(dict.fromkeys(all_of_them)) / len(all_of_them)


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    out_dir = Path(out_dir)
    study = {"shared": {}, "sizes": [], "fit": None}
    for key in ("steps", "batch_size", "block_size", "accumulation_steps", "seed"):
        study["shared"][key] = getattr(config, key)
    study["shared"].update(train_tokens=len(train_ids), val_tokens=len(val_ids))
    for index, size in enumerate(configs):
        torch.manual_seed(config.seed)
        model = GPT(size)
        curve = train(model, train_ids, val_ids, replace(config, out_dir=str(out_dir / f"{index:02d}")))
        sample = generate(model, val_ids[None, :3], 140, top_k=8, temperature=0.9)[0, 3:].tolist()
        optimizer = make_optimizer(model, learning_rate=0.0)
        data = [get_batch(train_ids, config.batch_size, config.block_size)]
        speed = measure_throughput(
            lambda model=model, optimizer=optimizer, data=data: train_step(model, optimizer, data),
            tokens_per_step=data[0][0].numel(),
            warmup=1,
            steps=4,
            clock=time.perf_counter,
            synchronize=lambda: None,
        )
        study["sizes"].append(
            dict(
                config=asdict(size),
                parameters=count_parameters(size),
                flops_per_token=flops_per_token(size),
                tokens=curve[-1]["tokens"],
                curve=curve,
                val_loss=curve[-1]["val_loss"],
                tokens_per_second=speed,
                # weights, gradients, two moments, and the logits with their gradient, 4 bytes each
                peak_memory_bytes=16 * count_parameters(size) + 8 * data[0][0].numel() * size.vocab_size,
                sample=sample,
                distinct_2=share_of_different(sample, 2),
                repetition=1 - share_of_different(sample, 4),
            )
        )
    x, y = zip(*((size["parameters"], size["val_loss"]) for size in study["sizes"]), strict=True)
    study["fit"] = fit_power_law(x, y)
    if study["fit"]["interval"]:
        study["fit"]["interval"] = list(study["fit"]["interval"])
    out_dir.joinpath("study.json").write_text(json.dumps(study))
    lines = [f"| {s['parameters'] / 1e3:.2f}k | {s['val_loss']:.3f} |" for s in study["sizes"]]
    out_dir.joinpath("report.md").write_text("\n".join(["| parameters | val_loss |", "|---|---|", *lines]))
    return study
