"""NumPy throughout: polyfit with its covariance, a table of t quantiles, and speeds taken from the training rows."""

import json
import resource
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from model.transformer import GPT
from sample.generate import stream
from train.loop import train

T = [np.nan, 12.706, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281]


def t_quantile(df):
    # Beyond the table the first terms of the expansion around the normal quantile are exact enough.
    return T[df] if df < len(T) else 1.959964 + 2.372271 / df + 2.8225 / df**2


def count_parameters(config):
    c = np.array([config.vocab_size, config.block_size, 12 * config.n_layer * config.n_embd, 13 * config.n_layer, 2])
    return int(c.sum() * config.n_embd)


def flops_per_token(config):
    per_weight, per_score = 6, 12
    n = count_parameters(config) - config.block_size * config.n_embd
    return per_weight * n + per_score * config.n_layer * config.n_embd * config.block_size


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    def run(count):
        for _ in range(count):
            step()
        synchronize()
        return clock()

    begin, end = run(warmup), run(steps)
    return tokens_per_step * steps / (end - begin)


def fit_power_law(x, y):
    u, v = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    if len(u) < 5:
        slope, intercept = np.polyfit(u, v, 1)
        return slope, np.exp(intercept), None
    (slope, intercept), covariance = np.polyfit(u, v, 1, cov=True)
    half = t_quantile(len(u) - 2) * np.sqrt(covariance[0, 0])
    return slope, np.exp(intercept), np.array([slope - half, slope + half])


def ngrams(ids, n):
    return np.lib.stride_tricks.sliding_window_view(np.array(ids), n)


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    out = Path(out_dir)
    study = {
        "shared": {k: v for k, v in asdict(config).items() if k in ("steps", "batch_size", "block_size", "seed")}
        | {"accumulation_steps": config.accumulation_steps, "train_tokens": len(train_ids), "val_tokens": len(val_ids)},
        "sizes": [one_size(size, train_ids, val_ids, config, out) for size in configs],
    }
    fit = fit_power_law([s["parameters"] for s in study["sizes"]], [s["val_loss"] for s in study["sizes"]])
    interval = None if fit[2] is None else fit[2].tolist()
    study["fit"] = {"exponent": float(fit[0]), "coefficient": float(fit[1]), "interval": interval}
    (out / "study.json").write_text(json.dumps(study))
    table = ["|size|parameters|validation loss|", "|:-|-:|-:|"]
    for number, s in enumerate(study["sizes"]):
        table.append(f"|{number}|{s['parameters']}|{s['val_loss']:.5f}|")
    (out / "report.md").write_text("# What size buys\n\n" + "\n".join(table) + "\n")
    return study


def one_size(size, train_ids, val_ids, config, out):
    torch.manual_seed(config.seed)
    model = GPT(size)
    rows = train(model, train_ids, val_ids, replace(config, out_dir=str(out / str(size.n_embd) / str(size.n_layer))))
    speeds = [row["tokens_per_second"] for row in rows if row["tokens_per_second"]]
    ids = [int(i) for i in stream(model, val_ids[None, :5], 128, generator=torch.Generator().manual_seed(1))]
    return {
        "config": asdict(size),
        "parameters": count_parameters(size),
        "flops_per_token": flops_per_token(size),
        "tokens": rows[-1]["tokens"],
        "curve": rows,
        "val_loss": rows[-1]["val_loss"],
        "tokens_per_second": float(np.median(speeds)) if speeds else 0.0,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "sample": ids,
        "distinct_2": len(np.unique(ngrams(ids, 2), axis=0)) / (len(ids) - 1),
        "repetition": 1 - len(np.unique(ngrams(ids, 4), axis=0)) / (len(ids) - 3),
    }
