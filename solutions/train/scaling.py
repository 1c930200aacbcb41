"""What a GPT costs, how fast it trains, and how its loss falls with size: two counts, a stopwatch, a fit, a study.

FLOPs: Chowdhery et al. 2022 ("PaLM"), appendix B. Power law: Kaplan et al. 2020. Interval: Draper and Smith 1998,
section 1.4. Scores of a sample: Li et al. 2016, Welleck et al. 2019.

Letters: C = n_embd, V = vocab_size, T = block_size, N = number of parameters, n = number of points. Losses are in nats
per token.
"""

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from model.transformer import GPT, GPTConfig
from sample.generate import generate
from train.data import get_batch
from train.loop import TrainConfig, train, train_step
from train.optim import make_optimizer

SAMPLE_TOKENS = 120


def count_parameters(config: GPTConfig) -> int:
    """How many parameters GPT(config) has, from the sizes alone: what GPT(config).num_parameters() says.

    A block has 12 C^2 numbers in its matrices (3 in c_attn, 1 in c_proj, 4 and 4 in the feed-forward network); biases
    and norms are as in your own layers. The head is tied to wte, so it adds nothing. Buffers are not parameters.
    """
    ### BEGIN SOLUTION
    C = config.n_embd
    embeddings = (config.vocab_size + config.block_size) * C  # wte (V, C), wpe (T, C)
    matrices = 12 * C * C  # c_attn (C, 3C), c_proj (C, C), c_fc (C, 4C), c_proj (4C, C)
    biases = 3 * C + C + 4 * C + C  # of c_attn, c_proj, c_fc, c_proj
    norms = 2 * 2 * C  # two in a block, each with a scale and a shift
    return embeddings + config.n_layer * (matrices + biases + norms) + 2 * C
    ### END SOLUTION


def flops_per_token(config: GPTConfig) -> int:
    """Floating-point operations that training spends on one token, forward and backward:

        6 N + 12 * n_layer * n_embd * block_size

    (Chowdhery et al. 2022, "PaLM", appendix B: 6 N + 12 L H Q T, where heads times head size, H Q, is n_embd). N is
    all parameters without wpe: a position is looked up and added, never multiplied. wte counts, since it is also the
    head, where it is a matrix that is multiplied.
    """
    ### BEGIN SOLUTION
    N = count_parameters(config) - config.block_size * config.n_embd
    return 6 * N + 12 * config.n_layer * config.n_embd * config.block_size
    ### END SOLUTION


def measure_throughput(
    step: Callable[[], object],
    *,
    tokens_per_step: int,
    warmup: int,
    steps: int,
    clock: Callable[[], float],
    synchronize: Callable[[], object],
) -> float:
    """Tokens per second of `step`: the tokens of the measured steps over the seconds they took together.

    step():        starts one training step. On a GPU it only queues the work, and returns before that is done.
    warmup, steps: step is called `warmup` times unmeasured (compiling, filling caches), then `steps` times measured.
    clock():       the time now, in seconds, as time.perf_counter gives it.
    synchronize(): returns when all queued work is done. A clock read without it says nothing about the device.
    """
    ### BEGIN SOLUTION
    for _ in range(warmup):
        step()
    synchronize()
    start = clock()
    for _ in range(steps):
        step()
    synchronize()
    return steps * tokens_per_step / (clock() - start)
    ### END SOLUTION


def t_quantile(degrees_of_freedom: int) -> float:
    """The 97.5 % quantile of Student's t: 95 % of the distribution lie within plus or minus this.

    Abramowitz and Stegun 1964, 26.7.5, around the normal quantile; from 3 degrees of freedom on within 0.2 %.
    """
    inverse = 1 / degrees_of_freedom
    return 1.959964 + inverse * (2.372271 + inverse * (2.822503 + inverse * (2.555852 + inverse * 1.589530)))


def fit_power_law(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, tuple[float, float] | None]:
    """The power law y = coefficient * x ** exponent, fitted to positive numbers x and y (sequences of equal length).

    The fit is the least-squares line through the points (ln x, ln y). A loss that falls with x has a negative
    exponent. Returns (exponent, coefficient, interval). `interval` is (low, high), a 95 % confidence interval of the
    exponent, from Student's t with n - 2 degrees of freedom (Draper and Smith 1998, section 1.4) or from a bootstrap;
    it is None for fewer than 5 points, as so few can't tell noise from curvature.
    """
    ### BEGIN SOLUTION
    u = torch.tensor([float(value) for value in x], dtype=torch.float64).log()  # (n,)
    v = torch.tensor([float(value) for value in y], dtype=torch.float64).log()  # (n,)
    n = len(u)
    spread = ((u - u.mean()) ** 2).sum()
    exponent = ((u - u.mean()) * (v - v.mean())).sum() / spread
    intercept = v.mean() - exponent * u.mean()
    interval = None
    if n >= 5:
        residuals = v - intercept - exponent * u  # (n,)
        standard_error = ((residuals**2).sum() / (n - 2) / spread).sqrt()
        margin = t_quantile(n - 2) * standard_error
        interval = (float(exponent - margin), float(exponent + margin))
    return float(exponent), math.exp(intercept), interval
    ### END SOLUTION


def distinct_n(ids: Sequence[int], n: int) -> float:
    """Different n-grams of ids over all its n-grams (Li et al. 2016, "A Diversity-Promoting Objective Function").

    1 if nothing repeats, 0 if there is no n-gram. 1 - distinct_n(ids, 4) is the repetition "seq-rep-4" of Welleck et
    al. 2019. A helper, yours to rename or to drop.
    """
    ### BEGIN SOLUTION
    grams = [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
    ### END SOLUTION


def synchronizer(device: torch.device | str) -> Callable[[], None]:
    """What measure_throughput takes as `synchronize` on this device. On a CPU there is nothing to wait for."""
    module = {"cuda": torch.cuda, "mps": torch.mps}.get(torch.device(device).type)
    return module.synchronize if module is not None else lambda: None


def peak_memory_bytes(device: torch.device | str) -> int:
    """The most memory held at once: on a CUDA device by tensors since the last reset, else by the whole process so far.

    The process's peak never goes down, so train the sizes from small to large.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


def run_scaling_study(
    configs: Sequence[GPTConfig],
    train_ids: torch.Tensor,
    val_ids: torch.Tensor,
    config: TrainConfig,
    out_dir: str | Path,
) -> dict:
    """Trains one GPT per GPTConfig of `configs` (three sizes or more), everything else equal, and compares them.

    Equal means: the same train_ids and val_ids (1-D int64) for each, and the same `config`, with its steps, batches and
    learning rates; and one seed policy, torch.manual_seed(config.seed) right before each GPT is built. Only
    config.out_dir may differ. Each block_size of `configs` is at least config.block_size.

    Returns the study, a dict of numbers, strings, lists and dicts only:

        "shared":  "steps", "batch_size", "block_size", "accumulation_steps", "seed" as in config, and
                   "train_tokens", "val_tokens", the lengths of the ids
        "sizes":   a list, one dict per size in the order of `configs`:
            "config"             the GPTConfig's fields as a dict
            "parameters"         count_parameters
            "flops_per_token"    flops_per_token
            "tokens"             how many tokens it was trained on: steps times the tokens of a step
            "curve"              the rows that `train` returned
            "val_loss"           of the finished model, on val_ids, in nats per token
            "tokens_per_second"  of training
            "peak_memory_bytes"  see peak_memory_bytes
            "sample"             a list of 100 token ids or more that the finished model wrote; the first sample, not
                                 the best of several
            "distinct_2"         different pairs of adjacent tokens in the sample over all pairs
            "repetition"         share of the sample's 4-grams that repeat an earlier one: 1 - distinct_n(sample, 4)
        "fit":     "exponent", "coefficient", "interval" of fit_power_law(parameters, val_loss)

    and writes two files to out_dir, which it makes if need be: study.json, the same dict, and report.md, a comparison
    with a table row for each size that gives its parameters and its val_loss (three decimals).
    """
    ### BEGIN SOLUTION
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    sizes = [
        train_one_size(size, train_ids, val_ids, replace(config, out_dir=str(out_dir / f"size_{number}")))
        for number, size in enumerate(configs, start=1)
    ]
    exponent, coefficient, interval = fit_power_law(
        [size["parameters"] for size in sizes], [size["val_loss"] for size in sizes]
    )
    shared = {
        name: getattr(config, name) for name in ("steps", "batch_size", "block_size", "accumulation_steps", "seed")
    }
    study = {
        "shared": shared | {"train_tokens": len(train_ids), "val_tokens": len(val_ids)},
        "sizes": sizes,
        "fit": {"exponent": exponent, "coefficient": coefficient, "interval": list(interval) if interval else None},
    }
    (out_dir / "study.json").write_text(json.dumps(study, indent=2))
    (out_dir / "report.md").write_text(report(study))
    return study
    ### END SOLUTION


def train_one_size(size: GPTConfig, train_ids: torch.Tensor, val_ids: torch.Tensor, config: TrainConfig) -> dict:
    """One entry of the study's "sizes". A helper, yours to rename or to drop."""
    ### BEGIN SOLUTION
    torch.manual_seed(config.seed)
    model = GPT(size)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    curve = train(model, train_ids, val_ids, config)
    device = next(model.parameters()).device
    prompt = torch.as_tensor(val_ids)[:1].view(1, 1).to(device)  # (B, T) = (1, 1)
    generator = torch.Generator(device).manual_seed(config.seed)
    sample = generate(model, prompt, SAMPLE_TOKENS, generator=generator)[0, 1:].tolist()
    return {
        "config": asdict(size),
        "parameters": count_parameters(size),
        "flops_per_token": flops_per_token(size),
        "tokens": config.steps * config.batch_size * config.block_size * config.accumulation_steps,
        "curve": curve,
        "val_loss": curve[-1]["val_loss"],
        "tokens_per_second": training_speed(model, train_ids, config),
        "peak_memory_bytes": peak_memory_bytes(device),
        "sample": sample,
        "distinct_2": distinct_n(sample, 2),
        "repetition": 1 - distinct_n(sample, 4),
    }
    ### END SOLUTION


def training_speed(model: GPT, train_ids: torch.Tensor, config: TrainConfig) -> float:
    """Tokens per second of training steps like the study's. It changes the model's weights. A helper, as above."""
    ### BEGIN SOLUTION
    device = next(model.parameters()).device
    batches = [
        [part.to(device) for part in get_batch(train_ids, config.batch_size, config.block_size)]
        for _ in range(config.accumulation_steps)
    ]
    optimizer = make_optimizer(model, learning_rate=config.min_lr)
    return measure_throughput(
        lambda: train_step(model, optimizer, batches, grad_clip=config.grad_clip, dtype=getattr(torch, config.dtype)),
        tokens_per_step=config.batch_size * config.block_size * config.accumulation_steps,
        warmup=2,
        steps=5,
        clock=time.perf_counter,
        synchronize=synchronizer(device),
    )
    ### END SOLUTION


def report(study: dict) -> str:
    """The study as Markdown: what was equal, a table row per size, the fit in words. A helper, as above."""
    ### BEGIN SOLUTION
    shared, fit, interval = study["shared"], study["fit"], study["fit"]["interval"]
    certainty = "Fewer than five sizes: no interval, and no claim about other sizes."
    if interval:
        certainty = f"95 % interval of the exponent: {interval[0]:.3f} to {interval[1]:.3f}."
    lines = [
        "# Scaling study",
        "",
        f"Equal for all sizes: {', '.join(f'{name} {value}' for name, value in shared.items())}.",
        "",
        "| layers | n_embd | parameters | FLOPs per token | tokens | val loss | tokens/s | peak MB | distinct-2 |"
        " repetition |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(report_row(size) for size in study["sizes"]),
        "",
        f"val loss = {fit['coefficient']:.3f} * parameters ** {fit['exponent']:.4f}. {certainty}",
        "",
    ]
    return "\n".join(lines)
    ### END SOLUTION


def report_row(size: dict) -> str:
    """The report's table row for one entry of the study's "sizes". A helper, as above."""
    ### BEGIN SOLUTION
    cells = [
        size["config"]["n_layer"],
        size["config"]["n_embd"],
        size["parameters"],
        size["flops_per_token"],
        size["tokens"],
        f"{size['val_loss']:.4f}",
        f"{size['tokens_per_second']:.0f}",
        f"{size['peak_memory_bytes'] / 1e6:.0f}",
        f"{size['distinct_2']:.3f}",
        f"{size['repetition']:.3f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"
    ### END SOLUTION
