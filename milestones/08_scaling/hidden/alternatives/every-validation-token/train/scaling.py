"""The loss over every validation token, a study as a class, and a clock that is read around each step."""

import json
import math
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F

from model.transformer import GPT
from train.loop import train


def count_parameters(config):
    def linear(inputs, outputs):
        return inputs * outputs + outputs

    C = config.n_embd
    norm = 2 * C
    block = norm + linear(C, 3 * C) + linear(C, C) + norm + linear(C, 4 * C) + linear(4 * C, C)
    return config.vocab_size * C + config.block_size * C + sum(block for _ in range(config.n_layer)) + norm


def flops_per_token(config):
    learned = count_parameters(replace(config, block_size=0))
    return 6 * learned + 12 * config.n_layer * config.n_head * (config.n_embd // config.n_head) * config.block_size


def measure_throughput(step, *, tokens_per_step, warmup, steps, clock, synchronize):
    for _ in range(warmup):
        step()
        synchronize()
    synchronize()
    durations = []
    for _ in range(steps):
        before = clock()
        step()
        synchronize()
        durations.append(clock() - before)
    return tokens_per_step * len(durations) / math.fsum(durations)


def fit_power_law(x, y):
    A = torch.tensor([[math.log(value), 1.0] for value in x], dtype=torch.float64)
    b = torch.tensor([[math.log(value)] for value in y], dtype=torch.float64)
    solution = torch.linalg.lstsq(A, b).solution
    exponent, coefficient = solution[0].item(), solution[1].exp().item()
    if len(x) < 5:
        return exponent, coefficient, None
    freedom = len(x) - 2
    variance = ((b - A @ solution) ** 2).sum().item() / freedom
    error = math.sqrt(variance * torch.linalg.pinv(A.T @ A)[0, 0].item())
    # Hill 1970, "Algorithm 396", with one correction term more
    z = 1.959963985
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    return exponent, coefficient, (exponent - t * error, exponent + t * error)


@torch.no_grad()
def loss_on_all(model, ids, block_size):
    model.eval()
    total = 0.0
    for start in range(0, len(ids) - 1, block_size):
        window = ids[start : start + block_size + 1]
        logits = model(window[None, :-1])[0]
        total += F.cross_entropy(logits[0], window[1:], reduction="sum").item()
    return total / (len(ids) - 1)


@torch.no_grad()
def continue_text(model, ids, count, generator):
    model.eval()
    for _ in range(count):
        logits, _ = model(ids[:, -model.config.block_size :])
        choice = logits[:, -1].double().softmax(-1).cumsum(-1) > torch.rand(1, generator=generator, dtype=torch.double)
        ids = torch.cat([ids, choice.int().argmax(-1, keepdim=True)], dim=1)
    return ids[0].tolist()


@dataclass
class Study:
    shared: dict
    sizes: list = field(default_factory=list)
    fit: dict = field(default_factory=dict)

    def table(self):
        yield "| # | parameters | loss on validation | perplexity |"
        yield "|---|---|---|---|"
        for number, size in enumerate(self.sizes, 1):
            loss = size["val_loss"]
            yield f"| {number} | {size['parameters']:,} | {loss:.6f} | {math.exp(loss):.2f} |"


def different(ids, n):
    grams = torch.tensor(ids).unfold(0, n, 1)
    return grams.unique(dim=0).shape[0] / grams.shape[0]


def run_scaling_study(configs, train_ids, val_ids, config, out_dir):
    out_dir = Path(out_dir)
    names = ["steps", "batch_size", "block_size", "accumulation_steps", "seed"]
    study = Study({name: getattr(config, name) for name in names})
    study.shared |= {"train_tokens": train_ids.shape[0], "val_tokens": val_ids.shape[0]}
    for size in configs:
        study.sizes.append(train_size(size, train_ids, val_ids, config, out_dir / f"C{size.n_embd}L{size.n_layer}"))
    law = fit_power_law([s["parameters"] for s in study.sizes], [s["val_loss"] for s in study.sizes])
    study.fit = {"exponent": law[0], "coefficient": law[1], "interval": law[2] and list(law[2])}
    out_dir.mkdir(exist_ok=True)
    (out_dir / "study.json").write_bytes(json.dumps(asdict(study)).encode())
    (out_dir / "report.md").write_text("\n".join(study.table()))
    return asdict(study)


def train_size(size, train_ids, val_ids, config, folder):
    torch.manual_seed(config.seed)
    model = GPT(size)
    before = time.time()
    curve = train(model, train_ids, val_ids, replace(config, out_dir=str(folder)))
    seconds = time.time() - before
    peak = sum(4 * 4 * parameter.numel() for parameter in model.parameters())
    if Path("/proc/self/status").exists():  # not everywhere, and not in every sandbox
        status = Path("/proc/self/status").read_text().split()
        peak = int(status[status.index("VmHWM:") + 1]) * 1024
    tokens = config.steps * config.batch_size * config.accumulation_steps * config.block_size
    sample = continue_text(model, train_ids[None, :1], 119, torch.Generator().manual_seed(0))
    return {
        "config": {name: getattr(size, name) for name in size.__dataclass_fields__},
        "parameters": count_parameters(size),
        "flops_per_token": flops_per_token(size),
        "tokens": tokens,
        "curve": curve,
        "val_loss": loss_on_all(model, val_ids, config.block_size),
        "tokens_per_second": tokens / seconds,
        "peak_memory_bytes": peak,
        "sample": sample,
        "distinct_2": different(sample, 2),
        "repetition": 1.0 - different(sample, 4),
    }
