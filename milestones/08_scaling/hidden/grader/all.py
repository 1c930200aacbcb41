"""Hidden grader of rung 8: counting, measuring, fitting, and a study whose numbers are recomputed.

Counts are compared with the submission's own GPT, so that layers with and without biases are both right. The clock
and the device are instruments. Fits are compared with the closed form, intervals by their width. A study is believed
as far as it can be repeated: its models are trained again, and what they say is judged here.
"""

import json
import math
import time

import torch

from . import design_notes
from milestones.hidden.loading import count
from milestones.hidden.weights import gpt_loss
from autograder.grading.student import Ref, StudentError

# 97.5 % quantiles of Student's t.
T_QUANTILE = {4: 2.776445, 118: 1.980272}
GPT2 = {"block_size": 1024, "vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768}
DEFAULT = {"block_size": 256, "vocab_size": 65, "n_layer": 6, "n_head": 6, "n_embd": 384}

# The studies: tokens of a cycle that is mostly followed in training and rarely in validation, so that the two splits
# give losses far apart, and a model that learns the first gets worse at the second.
V = 11
FOLLOWS, FOLLOWS_IN_VALIDATION = 0.8, 0.2
SIZES = [
    {"block_size": 20, "vocab_size": V, "n_layer": 1, "n_head": 2, "n_embd": 12, "dropout": 0.0},
    {"block_size": 20, "vocab_size": V, "n_layer": 2, "n_head": 2, "n_embd": 18, "dropout": 0.0},
    {"block_size": 20, "vocab_size": V, "n_layer": 2, "n_head": 4, "n_embd": 28, "dropout": 0.0},
]
TRAINING = {
    "steps": 40, "batch_size": 8, "block_size": 16, "accumulation_steps": 1, "max_lr": 1e-2, "min_lr": 1e-3,
    "warmup_steps": 4, "weight_decay": 0.1, "grad_clip": 1.0, "eval_interval": 10, "eval_batches": 30, "seed": 4321,
    "device": "cpu",
}  # fmt: skip
SHORT = {"steps": 3, "warmup_steps": 1, "eval_interval": 3, "eval_batches": 2}
OUT = "study_of_the_grader"


# Helpers


def number(value):
    """A number as float: a plain one or a tensor with one element; else None."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def is_close(value, expected, tolerance):
    value = number(value)
    return value is not None and abs(value - expected) <= tolerance * (1 + abs(expected))


def config_of(student, sizes):
    return student.keep(student.model.transformer.GPTConfig, **sizes)


def own_layout(student, expect):
    """(b, c): a block of the submission's GPT has 12 C^2 + b C parameters, its last norm c C. None if it is no GPT."""
    base = {"block_size": 8, "vocab_size": 101, "n_layer": 2, "n_head": 2, "n_embd": 6, "dropout": 0.0}
    C = base["n_embd"]
    two, three = (
        count(student.parameters(student.model.transformer.GPT(config_of(student, base | {"n_layer": layers}))))
        for layers in (2, 3)
    )
    in_block = three - two - 12 * C * C
    rest = two - 2 * (three - two) - (base["vocab_size"] + base["block_size"]) * C
    fits = in_block % C == 0 and 2 <= in_block // C <= 13 and rest in (C, 2 * C)
    expect.true(
        "GPT has the parameters of a GPT",
        fits,
        record=False,
        rule="Your GPT itself does not have the number of parameters that rung 4 asks for: make grade M=4 says more.",
    )
    return (in_block // C, rest // C) if fits else None


def parameters_of(sizes, layout):
    in_block, in_norm = layout
    C = sizes["n_embd"]
    embeddings = (sizes["vocab_size"] + sizes["block_size"]) * C
    return embeddings + sizes["n_layer"] * (12 * C * C + in_block * C) + in_norm * C


def flops_of(sizes, layout):
    """6 N + 12 n_layer n_embd block_size, N without wpe (Chowdhery et al. 2022, appendix B)."""
    weights = parameters_of(sizes, layout) - sizes["block_size"] * sizes["n_embd"]
    return 6 * weights + 12 * sizes["n_layer"] * sizes["n_embd"] * sizes["block_size"]


def drawn_sizes(draw):
    """Four small configurations; no two of their numbers play the same part."""
    for _ in range(4):
        heads = draw.integer(2, 5)
        yield {
            "block_size": draw.integer(5, 60),
            "vocab_size": draw.integer(61, 200),
            "n_layer": draw.integer(1, 4),
            "n_head": heads,
            "n_embd": heads * draw.integer(3, 9),
        }


def described(sizes):
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


# What a model costs


def test_count_parameters(student, draw, expect):
    """count_parameters gives the number of parameters of the submission's own GPT, small or large."""
    layout = own_layout(student, expect)
    if layout is None:
        return
    for index, sizes in enumerate([*drawn_sizes(draw), DEFAULT, GPT2]):
        if index < 4:
            expected = count(student.parameters(student.model.transformer.GPT(config_of(student, sizes))))
        else:
            expected = parameters_of(sizes, layout)
        seen = student.train.scaling.count_parameters(config_of(student, sizes))
        right = isinstance(seen, int) and not isinstance(seen, bool) and seen == expected
        expect.true(
            f"configuration {index + 1}",
            right,
            evidence=seen - expected if isinstance(seen, int) else type(seen).__name__,
            rule=f"count_parameters is {design_notes.shown(seen)} ({type(seen).__name__}) for {described(sizes)}; such a"
            f" GPT of yours has {expected:,}, and a count is an int.",
        )


def test_flops_per_token(student, draw, expect):
    """flops_per_token is exact for many configurations."""
    layout = own_layout(student, expect)
    if layout is None:
        return
    for index, sizes in enumerate([*drawn_sizes(draw), DEFAULT, GPT2]):
        seen = student.train.scaling.flops_per_token(config_of(student, sizes))
        expected = flops_of(sizes, layout)
        right = isinstance(seen, int) and not isinstance(seen, bool) and seen == expected
        expect.true(
            f"configuration {index + 1}",
            right,
            evidence=seen - expected if isinstance(seen, int) else number(seen) or type(seen).__name__,
            rule=f"flops_per_token is {design_notes.shown(seen)} for {described(sizes)};"
            f" 6 N + 12 n_layer n_embd block_size is {expected:,}.",
        )


# How fast it trains


def ticks(draw, n, low, high):
    """n durations in multiples of 1/1024 s, so that their sums are exact."""
    return [draw.integer(low, high) / 1024 for _ in range(n)]


def measured(student, device, tokens, warmup, steps):
    return student.train.scaling.measure_throughput(
        device.step,
        tokens_per_step=tokens,
        warmup=warmup,
        steps=steps,
        clock=device.clock,
        synchronize=device.synchronize,
    )


def expect_speed(student, expect, what, device, seen, expected, calls, rule):
    expect.true(
        what,
        is_close(seen, expected, 1e-9),
        evidence=number(seen),
        rule=f"{rule} It says {design_notes.shown(seen)} tokens/s where {expected:.6g} went by on the clock.",
    )
    expect.equal(
        f"{what}: calls of step",
        student.value(device.steps),
        calls,
        rule="step is called `warmup` times and then `steps` times, no more and no less.",
    )


def test_throughput_tokens(student, draw, expect):
    """tokens/s is the measured steps' tokens over the seconds on the clock, on a device that hides nothing."""
    for run in range(3):
        steps = draw.integer(3, 9) if run else 1
        tokens = draw.integer(100, 5000)
        launches = ticks(draw, steps, 50, 900)
        device = student.instrument("lazy_device", float(draw.integer(10, 1000)), 0.0, launches, [0.0] * steps)
        seen = measured(student, device, tokens, 0, steps)
        rule = f"{steps} steps of {tokens} tokens took {sum(launches):.3f} s."
        expect_speed(student, expect, f"run {run + 1}", device, seen, steps * tokens / sum(launches), steps, rule)


def test_throughput_warmup(student, draw, expect):
    """The warm-up is done, and counted nowhere."""
    for run in range(3):
        warmup, steps = draw.integer(1, 4), draw.integer(5, 9)
        tokens = draw.integer(100, 5000)
        slow, launches = ticks(draw, warmup, 3000, 9000), ticks(draw, steps, 50, 900)
        works = [0.0] * (warmup + steps)
        device = student.instrument("lazy_device", float(draw.integer(10, 1000)), 0.0, slow + launches, works)
        seen = measured(student, device, tokens, warmup, steps)
        seconds = sum(launches)
        rule = f"After {warmup} warm-up steps ({sum(slow):.3f} s), {steps} of {tokens} tokens each took {seconds:.3f} s."
        expected = steps * tokens / seconds
        expect_speed(student, expect, f"run {run + 1}", device, seen, expected, warmup + steps, rule)


def test_throughput_lazy_device(student, draw, expect):
    """On a device that works behind one's back the clock is read when the device has finished."""
    for run, warmup in enumerate((0, 2, 3)):
        steps = draw.integer(4, 9)
        tokens = draw.integer(100, 5000)
        queued = draw.integer(2000, 5000) / 1024
        launches = ticks(draw, warmup + steps, 5, 40)
        works = ticks(draw, warmup, 2000, 6000) + ticks(draw, steps, 200, 900)
        device = student.instrument("lazy_device", float(draw.integer(10, 1000)), queued, launches, works)
        seen = measured(student, device, tokens, warmup, steps)
        seconds = sum(launches[warmup:]) + sum(works[warmup:])
        rule = (
            f"The device takes {seconds:.3f} s for {steps} steps of {tokens} tokens, but step() returns after"
            f" {sum(launches[warmup:]):.3f} s: the clock was read before the device had finished its queue, at the"
            " start or"
            " at the end."
        )
        expected = steps * tokens / seconds
        expect_speed(student, expect, f"run {run + 1}", device, seen, expected, warmup + steps, rule)


# How loss falls with size


def line_through(x, y):
    """Least squares through (ln x, ln y): exponent, coefficient, standard error of the exponent (None under 3
    points)."""
    u, v = (torch.tensor(values, dtype=torch.float64).log() for values in (x, y))
    spread = ((u - u.mean()) ** 2).sum()
    slope = ((u - u.mean()) * (v - v.mean())).sum() / spread
    intercept = v.mean() - slope * u.mean()
    if len(x) < 3:
        return float(slope), math.exp(intercept), None
    squares = ((v - intercept - slope * u) ** 2).sum()
    return float(slope), math.exp(intercept), float((squares / (len(x) - 2) / spread).sqrt())


def three_parts(student, result):
    """(exponent, coefficient, interval) from a sequence, a dict or an object that names them; None for anything
    else."""
    names = ("exponent", "coefficient", "interval")
    if isinstance(result, (list, tuple)) and len(result) == len(names):
        return tuple(result)
    if isinstance(result, dict) and all(name in result for name in names):
        return tuple(result[name] for name in names)
    if isinstance(result, Ref):
        try:
            return tuple(student.value(getattr(result, name)) for name in names)
        except StudentError:
            return None
    return None


def ends(interval):
    """(low, high) as floats, or None."""
    if isinstance(interval, torch.Tensor):
        interval = interval.reshape(-1).tolist()
    if isinstance(interval, (list, tuple)) and len(interval) == 2:
        low, high = map(number, interval)
        if low is not None and high is not None:
            return low, high
    return None


def fitted(student, expect, what, x, y):
    """The three parts of fit_power_law(x, y), or None where that failed."""
    parts = three_parts(student, student.train.scaling.fit_power_law(x, y))
    expect.true(
        f"{what}: three parts",
        parts is not None,
        rule="fit_power_law returns (exponent, coefficient, interval).",
    )
    return parts


def expect_line(expect, what, parts, x, y):
    exponent, coefficient, _ = line_through(x, y)
    for name, seen, expected in (("exponent", parts[0], exponent), ("coefficient", parts[1], coefficient)):
        expect.true(
            f"{what}: {name}",
            is_close(seen, expected, 1e-3) and abs(number(seen) - expected) <= 1e-3 * abs(expected) + 1e-6,
            evidence=number(seen),
            rule=f"The {name} is {design_notes.shown(seen)}; the least-squares line in the logarithms has"
            f" {expected:.6g}.",
        )


def power_law(draw, n, noise):
    """x, y as lists: a power law from 10^4 to 10^8 with log-normal noise."""
    exponent, coefficient = -0.05 - 0.3 * float(draw.rand(1)), 2.0 + 10 * float(draw.rand(1))
    u = math.log(1e4) + math.log(1e4) * draw.rand(n)
    v = math.log(coefficient) + exponent * u + noise * draw.randn(n)
    return u.exp().tolist(), v.exp().tolist()


def test_power_law_exact(student, draw, expect):
    """Points that lie on a power law give it back: falling, rising, with any spacing."""
    for what, exponent, coefficient in (("a falling law", -0.076, 8.5), ("a rising law", 0.73, 0.02)):
        start = draw.integer(3, 50)
        x = [start * ratio for ratio in (1, 2, 5, 30, 64, 1000)]
        y = [coefficient * value**exponent for value in x]
        parts = fitted(student, expect, what, x, y)
        if parts is not None:
            expect_line(expect, what, parts, x, y)
    x = [float(draw.integer(2, 9)), float(draw.integer(20, 99))]
    y = [float(draw.integer(2, 9)), float(draw.integer(20, 99))]
    parts = fitted(student, expect, "two points", x, y)
    if parts is not None:
        expect_line(expect, "two points", parts, x, y)


def test_power_law_noisy(student, draw, expect):
    """Points beside a power law give the least-squares line in the logarithms."""
    for n in (3, 5, 8, 20):
        x, y = power_law(draw, n, noise=0.2)
        parts = fitted(student, expect, f"{n} points", x, y)
        if parts is not None:
            expect_line(expect, f"{n} points", parts, x, y)


def interval_ratios(student, draw, expect, n, sets):
    """Half widths of the intervals over those by Student's t, one for each data set; None where there was no
    interval."""
    ratios = []
    for index in range(sets):
        x, y = power_law(draw, n, noise=0.1)
        parts = three_parts(student, student.train.scaling.fit_power_law(x, y))
        interval = ends(parts[2]) if parts is not None else None
        exponent, _, error = line_through(x, y)
        expect.true(
            f"{n} points, set {index + 1}: interval around the exponent",
            interval is not None and interval[0] <= exponent <= interval[1],
            evidence="none" if interval is None else interval[0] <= exponent <= interval[1],
            rule=f"For {n} points the third part should be (low, high) with the exponent {exponent:.4f} inside; it is"
            f" {design_notes.shown(None if parts is None else parts[2])}.",
        )
        if interval is None:
            return None
        ratios.append((interval[1] - interval[0]) / 2 / (T_QUANTILE[n - 2] * error))
    return torch.tensor(ratios, dtype=torch.float64)


def test_power_law_interval(student, draw, expect):
    """From 5 points on there is an interval whose width is that of 95 %: by t exactly, by a bootstrap on average."""
    for n, sets, low, high in ((6, 8, 0.3, 3.0), (120, 30, 0.86, 1.16)):
        ratios = interval_ratios(student, draw, expect, n, sets)
        if ratios is None:
            return
        mean = ratios.mean().item()
        # A multiple of the standard error has the same ratio in each set, so it can be judged exactly. A bootstrap's
        # width varies, and it is too narrow for few points, as everybody knows who recommends it.
        is_multiple = bool((ratios - mean).abs().max() <= 1e-3 * abs(mean))
        if is_multiple:
            low, high = 0.98, 1.02
        expect.true(
            f"{n} points: width",
            low <= mean <= high,
            evidence=[is_multiple, round(mean, 4)] if is_multiple else [is_multiple],
            rule=f"With {n} points the interval is {mean:.3f} times as wide as the 95 % interval by Student's t with"
            f" {n - 2} degrees of freedom.",
        )


def test_power_law_few_points(student, draw, expect):
    """No interval for 2, 3 and 4 points; one for 5."""
    for n in (2, 3, 4, 5):
        x, y = power_law(draw, n, noise=0.1)
        parts = fitted(student, expect, f"{n} points", x, y)
        if parts is None:
            continue
        wanted = n >= 5
        expect.true(
            f"{n} points: interval or none",
            (ends(parts[2]) is not None) if wanted else parts[2] is None,
            evidence="none" if parts[2] is None else "one",
            rule=f"For {n} points the interval should be {'a pair (low, high)' if wanted else 'None'}; it is"
            f" {design_notes.shown(parts[2])}. Under 5 points it would be a guess about a guess.",
        )


# The study


def chain(draw, length, follows):
    """Token ids that go up by one (modulo V) with probability `follows`, and are drawn at random otherwise."""
    up = (draw.rand(length) < follows).tolist()
    ids = draw.randint(0, V, (length,)).tolist()
    for t in range(1, length):
        if up[t]:
            ids[t] = (ids[t - 1] + 1) % V
    return torch.tensor(ids, dtype=torch.int64)


class Study:
    """A study by the submission, and what is needed to repeat it."""

    def __init__(self, student, draw, *, sizes=SIZES, train_tokens=4000, val_tokens=1500, **changes):
        self.student = student
        self.sizes = sizes
        self.train_ids = chain(draw, train_tokens, FOLLOWS)
        self.val_ids = chain(draw, val_tokens, FOLLOWS_IN_VALIDATION)
        self.training = TRAINING | changes
        configs = [config_of(student, size) for size in sizes]
        start = time.perf_counter()
        self.returned = student.train.scaling.run_scaling_study(
            configs, self.train_ids, self.val_ids, self.train_config(OUT), OUT
        )
        self.seconds = time.perf_counter() - start

    def train_config(self, out_dir):
        return self.student.keep(self.student.train.loop.TrainConfig, **self.training, out_dir=out_dir)

    def entries(self, expect):
        """The study's "sizes", or None where they are not a list of as many dicts."""
        found = self.returned.get("sizes") if isinstance(self.returned, dict) else None
        right = (
            isinstance(found, list)
            and len(found) == len(self.sizes)
            and all(isinstance(entry, dict) for entry in found)
        )
        expect.true(
            "the study's sizes",
            right,
            evidence=len(found) if isinstance(found, list) else type(found).__name__,
            rule='run_scaling_study returns a dict whose "sizes" is a list of dicts, one for each of the'
            f" {len(self.sizes)}"
            " configurations.",
        )
        return found if right else None

    def retrain(self, index):
        """One size trained again by the submission's own loop: (model, rows, seconds)."""
        config = self.train_config(f"{OUT}_again_{index}")
        size = config_of(self.student, self.sizes[index])
        self.student.instrument("global_random").seed(self.training["seed"])
        model = self.student.model.transformer.GPT(size)
        start = time.perf_counter()
        rows = self.student.train.loop.train(model, self.train_ids, self.val_ids, config)
        return model, rows, time.perf_counter() - start

    def loss(self, model, ids):
        """The model's mean loss over non-overlapping windows of ids, from its logits; None if these are unusable."""
        T = self.training["block_size"]
        windows = (len(ids) - 1) // T
        x, y = ids[: windows * T].view(windows, T), ids[1 : windows * T + 1].view(windows, T)
        model.eval()
        logits = model(x)
        logits = logits[0] if isinstance(logits, (list, tuple)) and logits else logits
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (windows, T, V):
            return None
        return gpt_loss(logits, y).item()


def expect_key(expect, what, entry, key, expected, rule):
    seen = entry.get(key)
    expect.true(
        f"{what}: {key}",
        type(seen) is type(expected) and seen == expected,
        evidence=seen if isinstance(seen, (int, float, str, list, dict)) else type(seen).__name__,
        record=not isinstance(expected, float),
        rule=f"{key} of {what} is {design_notes.shown(seen)}, should be {design_notes.shown(expected)}. {rule}",
    )


def test_study_conditions(student, draw, expect):
    """The manifest says what was equal, and each size its configuration, parameters, FLOPs and tokens."""
    layout = own_layout(student, expect)
    # Not in the order of their sizes: entries are matched with configurations by position.
    sizes = [SIZES[1], SIZES[0], SIZES[2]]
    changes = SHORT | {"accumulation_steps": 2, "train_tokens": 900, "val_tokens": 400}
    study = Study(student, draw, sizes=sizes, **changes)
    entries = study.entries(expect)
    if layout is None or entries is None:
        return
    shared = study.returned.get("shared")
    expect.true("shared conditions", isinstance(shared, dict), rule='The study needs a dict "shared".')
    if isinstance(shared, dict):
        expected = {
            name: study.training[name] for name in ("steps", "batch_size", "block_size", "accumulation_steps", "seed")
        }
        expected |= {"train_tokens": len(study.train_ids), "val_tokens": len(study.val_ids)}
        for key, value in expected.items():
            expect_key(expect, "the shared conditions", shared, key, value, "It is what all sizes have in common.")
    tokens = math.prod(study.training[name] for name in ("steps", "accumulation_steps", "batch_size", "block_size"))
    for index, (entry, sizes) in enumerate(zip(entries, study.sizes, strict=True)):
        what = f"size {index + 1}"
        expect_key(
            expect, what, entry, "config", dict(sizes), "It is the GPTConfig, field by field, in the order given."
        )
        expect.true(
            f"{what}: parameters",
            entry.get("parameters") == parameters_of(sizes, layout),
            evidence=difference(entry.get("parameters"), parameters_of(sizes, layout)),
            rule=f"parameters of {what} is {design_notes.shown(entry.get('parameters'))}, but such a GPT of yours has"
            f" {parameters_of(sizes, layout):,}.",
        )
        expect.true(
            f"{what}: flops_per_token",
            entry.get("flops_per_token") == flops_of(sizes, layout),
            evidence=difference(entry.get("flops_per_token"), flops_of(sizes, layout)),
            rule=f"flops_per_token of {what} is {design_notes.shown(entry.get('flops_per_token'))}, but the formula"
            " gives"
            f" {flops_of(sizes, layout):,}.",
        )
        expect_key(
            expect,
            what,
            entry,
            "tokens",
            tokens,
            "Each size sees steps x accumulation_steps x batch_size x block_size tokens.",
        )


def difference(seen, expected):
    return seen - expected if isinstance(seen, int) else type(seen).__name__


def test_study_curves(student, draw, expect):
    """Every size, trained again under the stated conditions, gives the reported rows."""
    study = Study(student, draw, eval_batches=4, steps=24)
    entries = study.entries(expect)
    if entries is None:
        return
    for index, entry in enumerate(entries):
        _, rows, _ = study.retrain(index)
        reported = entry.get("curve")
        problem = first_deviation(reported, rows)
        expect.true(
            f"curve of size {index + 1}",
            problem is None,
            evidence=[problem is None, steps_of(reported), *levels(reported, rows)],
            rule=f"Size {index + 1}, trained again by your own `train` after torch.manual_seed(config.seed), does not"
            " give"
            f" the reported curve: {problem}. Did this size get the same tokens, steps, learning rates and seed as the"
            " others?",
        )


def levels(reported, rows):
    """How the last row's losses compare with the new ones, in words that hold on every machine."""
    last, new = (
        part[-1] if isinstance(part, list) and part and isinstance(part[-1], dict) else {} for part in (reported, rows)
    )
    for key in ("train_loss", "val_loss"):
        was, got = number(last.get(key)), number(new.get(key))
        if was is None or got is None:
            yield f"{key}: none"
        else:
            yield f"{key}: {'equal' if is_close(was, got, 1e-4) else 'close' if abs(was - got) < 0.15 else 'far'}"


def steps_of(rows):
    return [row.get("step") if isinstance(row, dict) else None for row in rows] if isinstance(rows, list) else None


def first_deviation(reported, rows):
    """Where two curves differ in steps or losses, in words; None if they don't."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return "your train() returned no rows to compare with"
    if not all(number(row.get(key)) is not None for row in rows for key in ("train_loss", "val_loss")):
        return "the rows of your train() lack train_loss or val_loss"
    if not isinstance(reported, list) or not all(isinstance(row, dict) for row in reported):
        return '"curve" is no list of dicts'
    if steps_of(reported) != steps_of(rows):
        return f"it has the steps {design_notes.shown(steps_of(reported))}, not {design_notes.shown(steps_of(rows))}"
    for before, now in zip(reported, rows, strict=True):
        for key in ("train_loss", "val_loss"):
            was, got = before.get(key), now[key]
            if not is_close(was, number(got), 1e-4):
                return f"{key} at step {now.get('step')} was {design_notes.shown(was)} and is {design_notes.shown(got)}"
    return None


def test_study_val_loss(student, draw, expect):
    """val_loss is the finished model's loss on the validation ids, as recomputed from a model that was trained
    again."""
    study = Study(student, draw, eval_interval=20)
    entries = study.entries(expect)
    if entries is None:
        return
    for index, entry in ((0, entries[0]), (len(entries) - 1, entries[-1])):
        model, _, _ = study.retrain(index)
        on_val, on_train = study.loss(model, study.val_ids), study.loss(model, study.train_ids)
        reported = number(entry.get("val_loss"))
        if on_val is None or on_train is None:
            expect.true(f"logits of size {index + 1}", False, rule="The trained model's logits have a wrong shape.")
            return
        # An estimate from 30 batches of 8 x 16 tokens has a standard error of about 0.03.
        fits = reported is not None and abs(reported - on_val) <= 0.2
        kind = "none" if reported is None else origin(reported, on_val, on_train)
        expect.true(
            f"val_loss of size {index + 1}",
            fits,
            evidence=kind,
            rule=f"val_loss of size {index + 1} is {design_notes.shown(reported)}. A model trained again has"
            f" {on_val:.3f} on"
            f" val_ids and {on_train:.3f} on train_ids: the reported number is {kind}.",
        )


def origin(reported, on_val, on_train):
    """In words, what a reported loss fits."""
    if abs(reported - on_val) <= 0.2:
        return "the validation loss"
    if abs(reported - on_train) <= 0.2:
        return "the loss on the training tokens"
    if on_train < reported < on_val:
        return "between the two: a mixture of the splits, or not the finished model's"
    return "too high" if reported > on_val else "too low"


def test_study_speed_memory(student, draw, expect):
    """tokens_per_second agrees with the time that training takes here; the peak holds at least weights and
    optimizer."""
    sizes = [size | {"block_size": 32} for size in SIZES[:2]]
    sizes.append(sizes[1] | {"n_embd": 64})  # wide enough that kilobytes cannot pass for bytes
    changes = {"block_size": 32, "batch_size": 16, "eval_batches": 1, "eval_interval": 20, "steps": 20}
    study = Study(student, draw, sizes=sizes, **changes)
    entries = study.entries(expect)
    if entries is None:
        return
    index = len(entries) - 1
    _, _, seconds = study.retrain(index)
    tokens = 20 * 16 * 32
    for position, entry in enumerate(entries):
        speed = number(entry.get("tokens_per_second"))
        expect.true(
            f"speed of size {position + 1} is a number",
            speed is not None and math.isfinite(speed) and speed > 0,
            rule="tokens_per_second is a positive number.",
        )
    speed = number(entries[index].get("tokens_per_second")) or 0.0
    claimed = tokens / speed if speed > 0 else math.inf
    expect.true(
        "speed and time of training agree",
        seconds / 12 <= claimed <= seconds * 12,
        evidence="slow" if claimed > seconds * 12 else "fast" if claimed < seconds / 12 else "fits",
        rule=f"At {speed:.4g} tokens per second the {tokens} tokens of the last size would take {claimed:.3g} s."
        " Training it"
        f" again took {seconds:.3g} s.",
    )
    for position, (entry, size) in enumerate(zip(entries, sizes, strict=True)):
        peak = number(entry.get("peak_memory_bytes"))
        # Weights, gradients and the two moments of AdamW, 4 bytes each; matrices alone.
        least = 16 * 12 * size["n_layer"] * size["n_embd"] ** 2
        expect.true(
            f"peak memory of size {position + 1}",
            peak is not None and least <= peak <= 2**36,
            evidence="none" if peak is None else "fits" if least <= peak <= 2**36 else "small" if peak < least else "large",
            rule=f"peak_memory_bytes of size {position + 1} is {design_notes.shown(peak)}, but weights, gradients and"
            " AdamW's"
            f" two moments alone take {least:,} bytes. Which unit is it in, and does it see what torch allocates?",
        )


def grams(ids, n):
    return [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]


def test_study_samples(student, draw, expect):
    """distinct_2 and repetition are recomputed from the sample, and the sample's likelihood from a retrained model."""
    study = Study(student, draw, eval_interval=40, eval_batches=2)
    entries = study.entries(expect)
    if entries is None:
        return
    for index, entry in enumerate(entries):
        what = f"size {index + 1}"
        sample = entry.get("sample")
        usable = (
            isinstance(sample, list)
            and len(sample) >= 100
            and all(isinstance(token, int) and not isinstance(token, bool) and 0 <= token < V for token in sample)
        )
        expect.true(
            f"sample of {what}",
            usable,
            evidence=min(len(sample), 100) if isinstance(sample, list) else type(sample).__name__,
            rule="sample is a list of at least 100 token ids.",
        )
        if not usable:
            return
        pairs, fours = grams(sample, 2), grams(sample, 4)
        for key, expected in (
            ("distinct_2", len(set(pairs)) / len(pairs)),
            ("repetition", 1 - len(set(fours)) / len(fours)),
        ):
            expect.true(
                f"{key} of {what}",
                is_close(entry.get(key), expected, 1e-4),
                evidence=score_of(number(entry.get(key)), expected, sample, 2 if key == "distinct_2" else 4),
                rule=f"{key} of {what} is {design_notes.shown(entry.get(key))}; counted from its sample it is"
                f" {expected:.4f}.",
            )
    model, _, _ = study.retrain(len(entries) - 1)
    surprise = study.loss(model, torch.tensor(entries[-1]["sample"], dtype=torch.int64))
    expect.true(
        "the sample is the finished model's",
        surprise is not None and surprise <= 1.8,
        evidence="fits" if surprise is not None and surprise <= 1.8 else "does not fit",
        rule=f"To the finished model the sample is surprising: {design_notes.shown(surprise)} nats per token, where"
        " its own"
        " text has about 1. Was it written before the training, or by another model?",
    )


def score_of(seen, expected, ids, n):
    """In words, which score it is: the numbers depend on the sample, which depends on the machine."""
    if seen is None:
        return "none"
    every = grams(ids, n)
    candidates = {
        "right": expected,
        "its complement": 1 - expected,
        "of single tokens": len(set(ids)) / len(ids),
        "of n-grams side by side": len(set(every[::n])) / len(every[::n]),
        "of n-grams side by side, its complement": 1 - len(set(every[::n])) / len(every[::n]),
    }
    return next((name for name, value in candidates.items() if is_close(seen, value, 1e-4)), "something else")


def test_study_fit(student, draw, expect):
    """The fit belongs to the reported parameters and losses; with three sizes it has no interval, with five it has
    one."""
    for sizes in (SIZES, [*SIZES, *(size | {"n_layer": 3} for size in SIZES[:2])]):
        study = Study(student, draw, sizes=sizes, train_tokens=900, val_tokens=400, **SHORT)
        entries = study.entries(expect)
        if entries is None:
            return
        what = f"{len(sizes)} sizes"
        x, y = ([number(entry.get(key)) for entry in entries] for key in ("parameters", "val_loss"))
        fit = study.returned.get("fit")
        usable = isinstance(fit, dict) and all(value is not None and value > 0 for value in x + y)
        expect.true(f"{what}: there is a fit", usable, rule='The study needs "fit", and positive parameters and losses.')
        if not usable:
            return
        exponent, coefficient, _ = line_through(x, y)
        for key, expected in (("exponent", exponent), ("coefficient", coefficient)):
            expect.true(
                f"{what}: {key}",
                is_close(fit.get(key), expected, 1e-3)
                and abs(number(fit[key]) - expected) <= 1e-2 * abs(expected) + 1e-5,
                evidence=sign(number(fit.get(key)), expected),
                rule=f"The fit's {key} is {design_notes.shown(fit.get(key))}; the reported parameters and losses give"
                f" {expected:.6g}.",
            )
        held = fit.get("interval") is None if len(sizes) < 5 else ends(fit.get("interval")) is not None
        expect.true(
            f"{what}: interval",
            held and "interval" in fit,
            evidence=fit.get("interval") is None,
            rule=f"With {len(sizes)} sizes the fit's interval is {design_notes.shown(fit.get('interval'))}.",
        )


def sign(seen, expected):
    """What tells wrong fits apart without a digit that depends on the machine."""
    if seen is None:
        return "none"
    return "fits" if is_close(seen, expected, 1e-3) else "other sign" if seen * expected < 0 else "other value"


def test_study_files(student, draw, expect):
    """study.json is what was returned; report.md has a row for each size with its parameters and val_loss."""
    study = Study(student, draw, train_tokens=900, val_tokens=400, **SHORT)
    entries = study.entries(expect)
    if entries is None:
        return
    texts = {}
    listed = student.files.list()
    for name in ("study.json", "report.md"):
        there = f"{OUT}/{name}" in listed
        expect.true(f"{name} is there", there, rule=f"run_scaling_study should write {name} into out_dir.")
        texts[name] = student.files.get(f"{OUT}/{name}") if there else b""
    if not all(isinstance(text, bytes) and text for text in texts.values()):
        expect.true("the files have a content", False, rule="study.json or report.md is missing or empty.")
        return
    try:
        written = json.loads(texts["study.json"])
    except ValueError:  # bytes that are no text, or text that is no JSON
        written = None
    expect.true("study.json is JSON", written is not None, rule="study.json can't be read as JSON.")
    expect.true(
        "study.json is the returned study",
        equal_as_json(written, study.returned),
        rule="study.json holds something else than the dict that was returned.",
    )
    text = texts["report.md"][: design_notes.MOST_LETTERS].decode("utf-8", "replace")
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    for index, entry in enumerate(entries):
        parameters, loss = number(entry.get("parameters")), number(entry.get("val_loss"))
        found = parameters is not None and loss is not None and any(tells(row, parameters, loss) for row in rows)
        expect.true(
            f"row of size {index + 1}",
            found,
            rule=f"report.md has no table row with the {design_notes.shown(entry.get('parameters'))} parameters and"
            " the val_loss"
            f" {design_notes.shown(entry.get('val_loss'))} (three decimals) of size {index + 1}.",
        )


def equal_as_json(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return {str(key) for key in b} == set(a) and all(equal_as_json(a[str(key)], value) for key, value in b.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal_as_json, a, b))
    if number(a) is not None and number(b) is not None:
        return is_close(a, number(b), 1e-9) or (number(a) != number(a) and number(b) != number(b))
    return type(a) is type(b) and a == b


def tells(row, parameters, loss):
    """The table row holds both numbers, the loss to three decimals."""
    cells = [values for cell in row.strip().strip("|").split("|") if (values := design_notes.numbers(cell))]
    counts = any(abs(value - parameters) <= 0.01 * parameters for values in cells for value in values)
    losses = any(abs(value - loss) <= 0.00051 for values in cells for value in values)
    return counts and losses


# The notes


def test_notes_tokenizer(student, draw, expect):
    """notes/tokenizer.md: no fact is contradicted by the tokenizers."""
    design_notes.check(expect, student, "tokenizer")


def test_notes_training(student, draw, expect):
    """notes/training.md: no fact is contradicted by the training code."""
    design_notes.check(expect, student, "training")


def test_notes_limitations(student, draw, expect):
    """notes/limitations.md: no fact is contradicted by the model."""
    design_notes.check(expect, student, "limitations")
