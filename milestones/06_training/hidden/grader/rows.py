"""Judges the rows that train in train/loop.py returns and writes: each says what was done, and how fast."""

import json
import time

from autograder.grading.expect import is_close

from .learning_rates import share
from .lent_model import is_update, new_model, passes_of
from .random_text import by_chance
from .tiny_model import B, T, draw_weights, gradient
from .whole_run import KEYS, RUN, Run, config_for, draw_ids, estimated, expect_rows, is_finite, metrics_of

CLOCK = 0.01  # seconds that two clocks may differ by: the grader's and the submission's, with the wire in between
FACTOR = 2.0  # between a speed and the right one: a busy machine's clock is no better
PAUSES = [0.5, 0.01, 0.15]  # seconds of the model's first pass of training, of a later one, and of one that measures


def test_train_rows(student, draw, expect):
    """Each row tells the truth: losses, rate and tokens are what was done, and metrics.jsonl holds the same rows."""
    run = Run(student, draw, "run_rows")
    older = dict.fromkeys(KEYS, 99)
    student.files.put("run_rows/metrics.jsonl", json.dumps(older).encode() + b"\n")  # left by an older run
    began = time.perf_counter()
    rows = run.train()
    wall = time.perf_counter() - began
    passes = passes_of(student, run.model)
    losses = losses_of(passes)
    expect_rows(expect, rows, run.options)
    for row in rows:
        expect.need(
            f"row {row['step']} holds finite numbers",
            all(is_finite(row[key]) for key in KEYS if key != "tokens_per_second"),
            rule="All values of a row must be finite numbers; only tokens_per_second may be None.",
            saw=f"The row is {row}.",
        )
    updates = run.updates(expect)
    expect_train_losses(expect, run, rows, losses)
    expect_rates_and_tokens(expect, run, rows)
    expect_first_loss(expect, run, updates[0], losses)
    expect_val_loss(student, expect, run, rows[-1]["val_loss"])
    expect_seconds(expect, [row["seconds"] for row in rows], passes, wall)
    expect_file(student, expect, run, rows)


def losses_of(passes):
    """The loss of each forward pass of an update; None if they were computed outside the model, from its logits."""
    losses = [forward.get("loss") for forward in passes if is_update(forward)]
    return losses if all(isinstance(loss, float) for loss in losses) else None


def mean(numbers):
    return sum(numbers) / len(numbers)


def expect_train_losses(expect, run, rows, losses):
    """train_loss is the mean of the updates since the row before. Nothing is said if there are no losses to compare."""
    per_update = len(losses) // run.options["steps"] if losses else 0
    before = 0
    for row in rows:
        step, value = row["step"], row["train_loss"]
        wanted = means_of(losses, before * per_update, step * per_update, per_update) if losses else {"right": value}
        fits = expect.which_fits(value, wanted, tol="f32")
        expect.true(
            f"row {step}: train_loss is the mean since the row before",
            fits == "right",
            rule="train_loss must be the mean loss of the updates since the row before.",
            saw=f"train_loss of row {step} is {value:.6g}{f', {fits}' if fits else ''}; the mean loss of its updates is"
            f" {wanted['right']:.6g}.",
            evidence=fits,
        )
        before = step


def means_of(losses, start, end, per_update):
    """What train_loss may be, by name, in a row about the micro-batches from `start` to `end`."""
    parts = {
        "right": losses[start:end],
        "the last update's": losses[end - per_update : end],
        "the last micro-batch's": losses[end - 1 : end],
        "the mean since the beginning": losses[:end],
        "the mean of one update later": losses[start + per_update : end + per_update],
    }
    means = {name: mean(part) for name, part in parts.items() if part}
    return means | {"the sum": sum(losses[start:end])}


def expect_rates_and_tokens(expect, run, rows):
    """lr is the rate of the last update before the row, tokens what was trained on until then."""
    rates = run.rates()
    for row in rows:
        step, peak = row["step"], run.options["max_lr"]
        # The right update comes first, in case another one has the same rate.
        by_update = {step - 1: share(rates[step - 1], peak)} | {n: share(rate, peak) for n, rate in enumerate(rates)}
        fits = expect.which_fits(share(row["lr"], peak), by_update)
        expect.true(
            f"row {step}: lr is the rate of the update just made",
            fits == step - 1,
            rule="lr must be the learning rate of the last update before the row, whose number is step - 1.",
            saw=f"lr of row {step} is {row['lr']}; by your learning_rate, update {step - 1} has {rates[step - 1]}.",
            evidence=fits,
        )
        expect.equal(
            f"tokens of row {step}",
            int(row["tokens"]),
            step * run.options["accumulation_steps"] * B * T,
            rule="tokens must be step * accumulation_steps * batch_size * block_size.",
        )


def expect_first_loss(expect, run, update, losses):
    """The first update started from the given weights. Nothing is said if there are no losses to compare."""
    loss, _ = gradient(run.weights, [update])
    first = mean(losses[: len(losses) // run.options["steps"]]) if losses else loss
    expect.true(
        "the first update starts from the given weights",
        is_close(first, loss, "f32"),
        rule="A run must start from the weights that the model has.",
        saw=f"The loss of the first update is {first:.6g}; with the given weights it is {loss:.6g}.",
    )


def expect_val_loss(student, expect, run, value):
    """The last val_loss is what estimate_loss says of the returned model, and what val_ids say."""
    seed, batches = run.options["seed"], run.options["eval_batches"]
    by_ids = {
        "val_ids": estimated(student, run.model, run.val_text.ids, seed, batches),
        "train_ids": estimated(student, run.model, run.text.ids, seed, batches),
    }
    fits = expect.which_fits(value, by_ids)
    expect.true(
        "val_loss is what estimate_loss says of val_ids",
        fits == "val_ids" and isinstance(by_ids["val_ids"], float),
        rule="val_loss must be estimate_loss(model, val_ids, batches=config.eval_batches, seed=config.seed, ...).",
        saw=f"val_loss of the last row is {value}; of the trained model estimate_loss gives {by_ids['val_ids']} on"
        f" val_ids and {by_ids['train_ids']} on train_ids.",
        evidence=fits,
    )
    final = [weight.double() for weight in student.get_parameters(run.model)]
    losses = run.val_text.losses(final)
    right, of_training = losses.mean().item(), run.text.losses(final).mean().item()
    expect.true(
        "val_loss is near the loss on val_ids",
        abs(value - right) <= by_chance(losses, batches * B),
        rule="val_loss must be the loss of the model on val_ids.",
        saw=f"val_loss of the last row is {value:.4f}. The trained model's loss is {right:.4f} on val_ids and"
        f" {of_training:.4f} on train_ids.",
    )


def expect_seconds(expect, seconds, passes, wall):
    """The rows' seconds rise, from the beginning of the run to its end."""
    times = [one["time"] for one in passes if is_update(one)]  # a row's measuring may be in its seconds or not
    least = times[-1] - times[0] - CLOCK
    expect.true(
        "seconds count from the beginning of the run",
        seconds == sorted(seconds) and seconds[0] > 0 and least <= seconds[-1] <= wall + CLOCK,
        rule="seconds must be the time since the run began.",
        saw=f"The seconds of the rows are {seconds}; the run took {wall:.3f} s.",
    )


def expect_file(student, expect, run, rows):
    """metrics.jsonl holds the rows that train returned, and no others."""
    written = metrics_of(student, run.out_dir)
    expect.need(
        "metrics.jsonl is a file of JSON lines",
        written is not None,
        rule="out_dir/metrics.jsonl must hold one JSON object per line.",
        saw=f"{run.out_dir}/metrics.jsonl is missing, or a line of it is not JSON.",
    )
    values = [[row.get(key) for key in KEYS] if isinstance(row, dict) else None for row in written]
    expect.true(
        "metrics.jsonl holds the rows",
        values == [[row[key] for key in KEYS] for row in rows],
        rule="metrics.jsonl must hold the rows that train returns, and no others.",
        saw=f"metrics.jsonl has {len(written)} rows, and train returned {len(rows)}; they are not the same.",
        evidence=len(written),
    )


def test_tokens_per_second(student, draw, expect):
    """The speed is that of the updates: neither the slow first one nor the measuring is in it."""
    weights, (ids, _) = draw_weights(draw), draw_ids(draw)
    val_ids = draw_ids(draw)[1][:24]  # few, because an estimate over all of them takes its pauses, too
    model = new_model(student, weights, pauses=PAUSES)
    options = RUN | {"steps": 20, "eval_interval": 10, "eval_batches": 2, "accumulation_steps": 1}
    rows = student.train.loop.train(model, ids, val_ids, config_for(student, "run_speed", **options))
    expect_rows(expect, rows, options)
    passes = passes_of(student, model)
    learning = [place for place, one in enumerate(passes) if is_update(one)]
    expect.need(
        "20 updates were made",
        len(learning) == 20,
        rule="train must make as many updates as config.steps says.",
        saw=f"20 updates were asked for, and {len(learning)} were made.",
        evidence=len(learning),
    )
    for row, (first, last) in zip(rows, ((1, 9), (10, 19)), strict=True):
        # The last update of a row ends at the latest when the measuring begins.
        end = passes[min(learning[last] + 1, len(passes) - 1)]["time"]
        seconds = end - passes[learning[first]]["time"]
        expect_speed(expect, row, (last - first + 1) * B * T, seconds)


def expect_speed(expect, row, tokens, seconds):
    """tokens_per_second fits the row's updates, of so many tokens in so many seconds."""
    value, speed = row["tokens_per_second"], tokens / seconds
    expect.true(
        f"row {row['step']}: tokens_per_second is the speed of its updates",
        verdict_on(value, speed) == "fits",
        rule="tokens_per_second must count the updates since the row before, without the run's first update, and only"
        " the seconds that they took, without the time for measuring.",
        saw=f"tokens_per_second of row {row['step']} is {value}; {tokens} tokens in {seconds:.3f} s are {speed:.0f}.",
        evidence=verdict_on(value, speed),
    )


def verdict_on(value, speed):
    """How a row's speed compares with the right one."""
    if not is_finite(value):
        return "not a number"
    if speed / FACTOR <= value <= speed * FACTOR:
        return "fits"
    return "slow" if value < speed else "fast"
