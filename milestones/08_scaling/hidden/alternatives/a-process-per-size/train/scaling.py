"""Each size is trained in a process of its own, so its peak memory is its own; residual bootstrap."""

import itertools
import json
import math
import multiprocessing
import os
import random
import resource
import statistics
import time
from collections import Counter, namedtuple
from dataclasses import asdict, replace

import torch

from model.transformer import GPT
from train.loop import train

Fit = namedtuple("Fit", "exponent coefficient interval")


def count_parameters(config):
    c = config.n_embd
    layer = 4 * c * c + 4 * c  # attention
    layer += 8 * c * c + 5 * c  # feed-forward
    layer += 4 * c  # norms
    return c * (config.vocab_size + config.block_size + 2) + layer * config.n_layer


def flops_per_token(config):
    embedded = config.vocab_size * config.n_embd
    rest = count_parameters(config) - embedded - config.n_embd * config.block_size
    return 6 * embedded + 6 * rest + 12 * (config.n_layer * config.n_embd * config.block_size)


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    while warmup > 0:
        step()
        warmup -= 1
    synchronize()
    began, tokens = clock(), 0
    while tokens < steps * tokens_per_step:
        step()
        tokens += tokens_per_step
    synchronize()
    return tokens / (clock() - began)


def fit_power_law(x, y):
    u, v = [math.log(a) for a in x], [math.log(b) for b in y]
    slope, intercept = statistics.linear_regression(u, v)
    interval = None
    if len(u) >= 5:
        misses = [b - intercept - slope * a for a, b in zip(u, v, strict=True)]
        inflate = math.sqrt(len(u) / (len(u) - 2))
        rng, slopes = random.Random(5), []
        for _ in range(400):
            again = [intercept + slope * a + inflate * rng.choice(misses) for a in u]
            slopes.append(statistics.linear_regression(u, again).slope)
        slopes.sort()
        interval = (slopes[9], slopes[390])
    return Fit(slope, math.exp(intercept), interval)


def write_on(model, start, count):
    """count ids after `start`, without rung 7."""
    ids = [start]
    model.eval()
    with torch.no_grad():
        while len(ids) <= count:
            window = torch.tensor([ids[-model.config.block_size :]])
            ids.append(torch.multinomial(model(window)[0][0, -1].softmax(-1), 1).item())
    return ids[1:]


def work(size, train_ids, val_ids, config):
    torch.manual_seed(config.seed)
    model = GPT(size)
    began = time.perf_counter()
    curve = train(model, train_ids, val_ids, config)
    seconds = time.perf_counter() - began
    tokens = config.steps * config.batch_size * config.block_size * config.accumulation_steps
    ids = write_on(model, int(train_ids[0]), 100)
    pairs = Counter(itertools.pairwise(ids))
    fours = Counter(tuple(ids[i : i + 4]) for i in range(97))
    return {
        "config": asdict(size),
        "parameters": count_parameters(size),
        "flops_per_token": flops_per_token(size),
        "tokens": tokens,
        "curve": curve,
        "val_loss": curve[-1]["val_loss"],
        "tokens_per_second": tokens / seconds,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sample": ids,
        "distinct_2": len(pairs) / sum(pairs.values()),
        "repetition": sum(count - 1 for count in fours.values()) / sum(fours.values()),
    }


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    os.makedirs(out_dir, exist_ok=True)
    context = multiprocessing.get_context("fork")
    entries = []
    for size in configs:
        own = replace(config, out_dir=f"{out_dir}/run{len(entries)}")
        with context.Pool(1) as pool:
            entries.append(pool.apply(work, (size, train_ids, val_ids, own)))
    fit = fit_power_law([e["parameters"] for e in entries], [e["val_loss"] for e in entries])
    shared = {"train_tokens": int(train_ids.numel()), "val_tokens": int(val_ids.numel())}
    for key in ["steps", "batch_size", "block_size", "accumulation_steps", "seed"]:
        shared[key] = vars(config)[key]
    study = {"sizes": entries, "fit": fit._asdict(), "shared": shared}
    with open(f"{out_dir}/study.json", "w") as file:
        file.write(json.dumps(study, sort_keys=True))
    with open(f"{out_dir}/report.md", "w") as file:
        file.write("| n_embd | val_loss | N | note |\n| --- | --- | --- | --- |\n")
        for e in entries:
            file.write(f"| {e['config']['n_embd']} | {e['val_loss']} | {e['parameters']:_} | trained alone |\n")
    return study
