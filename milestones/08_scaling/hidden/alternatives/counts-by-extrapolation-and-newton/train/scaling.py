"""Counts extrapolated from two tiny models of one's own, and a line found by Newton's method on the squared error."""

import functools
import json
import os
import resource
import time
from dataclasses import asdict, replace

import torch

from model.transformer import GPT, GPTConfig
from sample.generate import generate
from train.loop import train


@functools.cache
def tiny(n_layer):
    return GPT(GPTConfig(block_size=1, vocab_size=1, n_layer=n_layer, n_head=1, n_embd=1)).num_parameters()


def count_parameters(config):
    """A layer with n_embd = 1 has 12 + b numbers, b of them in vectors; the last norm has what is left."""
    C = config.n_embd
    vectors = tiny(2) - tiny(1) - 12
    last = 2 * tiny(1) - tiny(2) - 2
    return (config.vocab_size + config.block_size + last) * C + config.n_layer * (12 * C * C + vectors * C)


def flops_per_token(config):
    return 6 * (count_parameters(config) + config.n_embd * config.block_size * (2 * config.n_layer - 1))


class Stopwatch:
    def __init__(self, clock, synchronize):
        self.clock, self.synchronize = clock, synchronize

    def __enter__(self):
        self.synchronize()
        self.began = self.clock()
        return self

    def __exit__(self, *_):
        self.synchronize()
        self.seconds = self.clock() - self.began


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    with Stopwatch(clock, synchronize):
        for _ in range(warmup):
            step()
    with Stopwatch(clock, synchronize) as watch:
        for _ in range(steps):
            step()
    return tokens_per_step / watch.seconds * steps


def fit_power_law(x, y):
    u, v = (torch.tensor(list(values), dtype=torch.float64).log() for values in (x, y))

    def squares(line):
        return ((line[0] * u + line[1] - v) ** 2).sum()

    line = torch.zeros(2, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(squares, line)
    for _ in range(3):  # quadratic, so the first step is exact up to rounding
        line = line - torch.linalg.solve(hessian, torch.autograd.functional.jacobian(squares, line))
    exponent, coefficient = line[0].item(), line[1].exp().item()
    if len(u) < 5:
        return exponent, coefficient, None
    d = len(u) - 2
    # The inverse of half the Hessian times the variance of the misses is the covariance of the line's two numbers.
    error = (squares(line) / d * torch.linalg.inv(hessian / 2)[0, 0]).sqrt().item()
    t = 1.959964 + 2.372271 / d + 2.822503 / d**2 + 2.555852 / d**3 + 1.58953 / d**4
    return exponent, coefficient, (exponent - t * error, exponent + t * error)


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    os.makedirs(out_dir, exist_ok=True)
    shared = {key: asdict(config)[key] for key in ("steps", "batch_size", "block_size", "accumulation_steps", "seed")}
    study = {"shared": shared | {"train_tokens": len(train_ids), "val_tokens": len(val_ids)}, "sizes": []}
    for size in configs:
        study["sizes"].append({"config": asdict(size), "parameters": count_parameters(size)})
    for number, (size, entry) in enumerate(zip(configs, study["sizes"], strict=True)):
        torch.manual_seed(config.seed)
        model = GPT(size)
        began = time.perf_counter()
        entry["curve"] = train(model, train_ids, val_ids, replace(config, out_dir=os.path.join(out_dir, str(number))))
        entry["tokens"] = config.steps * config.batch_size * config.block_size * config.accumulation_steps
        entry["tokens_per_second"] = entry["tokens"] / (time.perf_counter() - began)
        entry["flops_per_token"] = flops_per_token(size)
        entry["val_loss"] = entry["curve"][-1]["val_loss"]
        entry["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        entry["sample"] = generate(model, val_ids[:1].view(1, 1), 100)[0].tolist()
        for key, n, sign in (("distinct_2", 2, 1), ("repetition", 4, -1)):
            every = [str(entry["sample"][i : i + n]) for i in range(len(entry["sample"]) - n + 1)]
            share = len(set(every)) / len(every)
            entry[key] = share if sign > 0 else 1 - share
    law = fit_power_law(*zip(*[(e["parameters"], e["val_loss"]) for e in study["sizes"]], strict=True))
    study["fit"] = {"exponent": law[0], "coefficient": law[1], "interval": law[2] if law[2] is None else [*law[2]]}
    for name, text in (("study.json", json.dumps(study)), ("report.md", "".join(report(study)))):
        with open(os.path.join(out_dir, name), "w") as file:
            file.write(text)
    return study


def report(study):
    yield "# One data set, one seed, several sizes\n\n"
    yield "| what | " + " | ".join(f"size {n}" for n in range(1, len(study["sizes"]) + 1)) + " |\n"
    yield "|---" * (len(study["sizes"]) + 1) + "|\n"
    for key in ("flops_per_token", "tokens_per_second"):
        yield f"| {key} | " + " | ".join(f"{size[key]:.3g}" for size in study["sizes"]) + " |\n"
    yield "\n| parameters | val_loss |\n|---|---|\n"
    for size in study["sizes"]:
        yield f"| {size['parameters']} | {size['val_loss']:.3f} |\n"
