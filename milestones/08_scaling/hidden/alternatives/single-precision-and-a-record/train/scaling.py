"""The fit in float32 as a record with attributes; its interval: t times a bootstrap's error; greedy text."""

import itertools
import json
import resource
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from model.transformer import GPT
from sample.generate import generate
from train.data import get_batch
from train.loop import estimate_loss, train, train_step
from train.optim import make_optimizer


@dataclass
class PowerLaw:
    exponent: float
    coefficient: float
    interval: tuple | None


def count_parameters(config):
    C, L = config.n_embd, config.n_layer
    return 12 * L * C * C + C * (13 * L + config.vocab_size + config.block_size + 2)


def flops_per_token(config):
    forward = 2 * (count_parameters(config) - config.n_embd * config.block_size)
    forward += 4 * config.n_layer * config.n_embd * config.block_size
    backward = 2 * forward
    return forward + backward


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    def timed(times):
        start = clock()
        for _ in range(times):
            step()
        synchronize()
        return clock() - start

    synchronize()
    timed(warmup)
    seconds = timed(steps)
    return float(tokens_per_step * steps) / seconds


def slopes(u, v):
    u = u - u.mean(-1, keepdim=True)
    return (u * v).sum(-1) / (u * u).sum(-1)


def fit_power_law(x, y):
    u, v = torch.tensor(x, dtype=torch.float32).log(), torch.tensor(y, dtype=torch.float32).log()
    slope = slopes(u, v)
    intercept = (v - slope * u).mean()
    n = len(x)
    if n < 5:
        return PowerLaw(slope.item(), intercept.exp().item(), None)
    miss = v - slope * u - intercept
    again = slope * u + miss[torch.randint(n, (3000, n))] * (n / (n - 2)) ** 0.5
    error = slopes(u, again).std().item()
    t = 1.96 + 2.372 / (n - 2) + 2.823 / (n - 2) ** 2 + 2.556 / (n - 2) ** 3
    return PowerLaw(slope.item(), intercept.exp().item(), (slope.item() - t * error, slope.item() + t * error))


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    out = Path(out_dir)
    sizes, options = [], {"batch_size": config.batch_size, "block_size": config.block_size}
    for number, size in enumerate(configs):
        torch.manual_seed(config.seed)
        model = GPT(size)
        settings = asdict(config) | {"out_dir": str(out / f"model{number}")}
        curve = train(model, train_ids, val_ids, type(config)(**settings))
        loss = estimate_loss(model, val_ids, batches=config.eval_batches, seed=config.seed + 1, **options)
        text = generate(model, train_ids[:10].view(1, 10), 100, temperature=0)[0, 10:].tolist()
        two = {(a, b) for a, b in itertools.pairwise(text)}
        four = {tuple(text[i : i + 4]) for i in range(97)}
        optimizer, batch = make_optimizer(model, learning_rate=1e-5), get_batch(train_ids, **options)
        sizes.append(
            {
                "config": vars(replace(size)) | {},
                "parameters": count_parameters(size),
                "flops_per_token": flops_per_token(size),
                "tokens": config.steps * config.accumulation_steps * batch[0].numel(),
                "curve": curve,
                "val_loss": loss,
                "tokens_per_second": measure_throughput(
                    lambda model=model, optimizer=optimizer, batch=batch: train_step(model, optimizer, [batch]),
                    tokens_per_step=batch[0].numel(),
                    warmup=2,
                    steps=3,
                    clock=time.perf_counter,
                    synchronize=lambda: None,
                ),
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,
                "sample": text,
                "distinct_2": len(two) / 99,
                "repetition": (97 - len(four)) / 97,
            }
        )
    law = fit_power_law([s["parameters"] for s in sizes], [s["val_loss"] for s in sizes])
    names = ["steps", *options, "accumulation_steps", "seed"]
    shared = {name: getattr(config, name) for name in names}
    study = {"shared": shared | {"train_tokens": len(train_ids), "val_tokens": len(val_ids)}, "sizes": sizes}
    study["fit"] = json.loads(json.dumps(vars(law)))
    with (out / "study.json").open("w") as file:
        json.dump(study, file, ensure_ascii=False, indent="\t")
    header = " | ".join(["", "parameters", "FLOPs per token", "val_loss", ""])
    body = [f" | {s['parameters']:,} | {s['flops_per_token']:.2e} | {s['val_loss']:.4f} | " for s in sizes]
    (out / "report.md").write_text("\n".join([header.strip(), "|---|---|---|", *(line.strip() for line in body)]))
    return study
