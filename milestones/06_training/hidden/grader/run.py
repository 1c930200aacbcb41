"""Judges train in train/loop.py: where a run brings the weights, what it depends on, and how it ends if it diverges."""

import re

import torch

from autograder.grading.expect import is_close
from autograder.grading.student import StudentError

from .adamw import AdamW
from .lent_model import new_model, stub_of, training_passes
from .random_text import Text, expect_windows
from .step import expect_float32_weights
from .tiny_model import C, V, bfloat16_gradient, clipped, draw_weights, equal_bits, flat, gradient, weights_of
from .whole_run import RUN, Run, config_for, draw_ids, trained

AGREE = "zero"  # tolerance of the weights at the end: a clipped norm is right with and without a small eps
EARLY, LATE = 100, 200  # of 300 ids: batches from everywhere begin before the one and after the other
TOO_HIGH = 100  # nats above the first update's loss
LEAP = 140.0  # nats of a token that the model is sure will not come; half of them in a window give 56 or 84
STANDING_STILL = 1e-12  # a learning rate at which the weights stay what they are
CLIMBS = "A loss more than 100 nats above the first update's must end the run at once, however many updates it took."
AT_ONCE = 4  # updates: the loss explodes in the second or third, depending on the warm-up; one more does no harm


def replay(run, updates, rates, *, kept=None, times=1, **changes):
    """The weight vector after AdamW on the updates' batches at these rates.

    `changes` to the run's options, `kept` windows of each update and `times` the gradient are for well-known slips.
    """
    options = run.options | changes
    adam = AdamW(run.weights, options["betas"], options["weight_decay"])
    for (x, y), rate in zip(updates, rates, strict=True):
        _, gradients = gradient(adam.weights, [(x[:kept], y[:kept])])
        adam.step(clipped([times * gradient for gradient in gradients], options["grad_clip"]), rate)
    return flat(adam.weights)


def slips(run, updates, rates):
    """Where well-known slips bring the weights, by name."""
    used, options = rates[:-1], run.options
    peak, floor = options["max_lr"], options["min_lr"]
    return {
        "the rate of the next step": replay(run, updates, rates[1:]),
        "the rate of the step before": replay(run, updates, [peak, *used[:-1]]),
        "max_lr at every step": replay(run, updates, [peak] * len(used)),
        "min_lr at every step": replay(run, updates, [floor] * len(used)),
        "no clipping": replay(run, updates, used, grad_clip=None),
        "clipping at 1": replay(run, updates, used, grad_clip=1.0),
        "no decay": replay(run, updates, used, weight_decay=0.0),
        "a decay of 0.1": replay(run, updates, used, weight_decay=0.1),
        "betas of (0.9, 0.95)": replay(run, updates, used, betas=(0.9, 0.95)),
        "the first micro-batch only": replay(run, updates, used, kept=options["batch_size"]),
        "the sum of the micro-batches": replay(run, updates, used, times=options["accumulation_steps"]),
    }


def test_train_weights(student, draw, expect):
    """A run moves the weights as AdamW, schedule, clipping and accumulation say, on windows of the training ids."""
    run = Run(student, draw, "run_weights")
    run.train()
    updates = run.updates(expect)
    expect_spread(expect, run, updates)
    weights, rates = weights_of(student, run.model), run.rates()
    start = flat(run.weights)
    expect.tensor("the weight vector", weights, shape=start.shape, dtype=start.dtype)
    right = is_close(weights, replay(run, updates, rates[:-1]), AGREE)
    slip = None if right else expect.which_fits(weights, slips(run, updates, rates), tol=AGREE)
    expect.true(
        "the weights are where AdamW brings them",
        right,
        rule="On the batches that the model is given, the weights must move as AdamW moves them, with your own"
        " learning_rate(step) for step 0, 1, ... and config's betas, weight_decay and grad_clip.",
        saw=f"After {len(updates)} updates the weights are {f'those of a run with {slip}' if slip else 'elsewhere'}.",
        evidence="right" if right else slip or weights,
    )


def expect_spread(expect, run, updates):
    """The windows are different ones, from all parts of the training ids."""
    starts = [start for x, _ in updates for start in run.text.starts(x)]
    different = set(starts)
    expect.true(
        "batches differ and come from everywhere",
        len(different) > len(starts) / 2 and min(starts) < EARLY and max(starts) > LATE,
        rule="Batches must be drawn anew each time, from all of train_ids.",
        saw=f"{len(different)} different windows of {len(starts)} were trained on, the first at {min(starts)}, the last"
        f" at {max(starts)} of {len(run.text.ids)} ids.",
        evidence=len(different),
    )


def test_train_repeats(student, draw, expect):
    """Two runs with one seed are equal to the last bit, whatever was drawn before; another seed gives another run."""
    weights, ids = draw_weights(draw), draw_ids(draw)
    first = trained(student, "repeat_1", weights, ids, disturb=1)
    second = trained(student, "repeat_2", weights, ids, disturb=2)
    expect.true(
        "two runs with one seed see the same batches",
        equal_bits(first.batches, second.batches),
        rule="The generator of the batches must follow from config.seed.",
        saw="Two runs with one seed are given different batches.",
    )
    expect.true(
        "two runs with one seed end with the same weights",
        equal_bits(first.weights, second.weights),
        rule="Everything random must follow from config.seed, torch's global generator (dropout) as well.",
        saw="Two runs with one seed end with different weights.",
    )
    one = trained(student, "repeat_3", weights, ids, disturb=1, dropout=0.0)
    other = trained(student, "repeat_4", weights, ids, disturb=1, dropout=0.0, seed=RUN["seed"] + 1)
    expect.true(
        "another seed gives another run",
        not equal_bits(first.batches, other.batches) and not equal_bits(one.weights, other.weights),
        rule="Another config.seed must give other batches.",
        saw="Another seed gives the same batches, or ends with the same weights.",
    )


def test_train_unseen_by_evaluation(student, draw, expect):
    """A run that measures after every update ends with the weights of one that measures once, bit for bit."""
    weights, ids = draw_weights(draw), draw_ids(draw)
    rule = "Measuring more often must change nothing in a run: evaluation has a generator of its own."
    often, rarely = {"eval_interval": 1, "eval_batches": 3}, {"eval_interval": 100, "eval_batches": 2}
    for what, dropout in (("without dropout", 0.0), ("with dropout", 0.4)):
        a = trained(student, f"often_{dropout}", weights, ids, disturb=1, dropout=dropout, **often)
        b = trained(student, f"once_{dropout}", weights, ids, disturb=1, dropout=dropout, **rarely)
        expect.true(
            f"{what}: the model is given batches to learn from",
            a.batches.numel() > 0 and b.batches.numel() > 0,
            rule="A run must give the model batches, in train mode and with gradients.",
            saw="A run ended without having given the model a batch to learn from.",
        )
        expect.true(
            f"{what}: measuring does not change the batches",
            equal_bits(a.batches, b.batches),
            rule=rule,
            saw=f"A run that measures after every update is given other batches than one that measures once ({what}).",
        )
        expect.true(
            f"{what}: measuring does not change the weights",
            equal_bits(a.weights, b.weights),
            rule=rule,
            saw=f"A run that measures after every update ends with other weights than one that measures once ({what}).",
        )


def test_train_bfloat16(student, draw, expect):
    """config.dtype reaches the arithmetic: the first loss is that of the named type."""
    weights = [weight.float() for weight in draw_weights(draw)]
    text, val_ids = Text(draw, 300), Text(draw, 200).ids
    for name in ("bfloat16", "float32"):
        model = new_model(student, weights, dtype="float32")
        changes = {"steps": 2, "warmup_steps": 1, "accumulation_steps": 1, "eval_interval": 1, "dtype": name}
        rows = student.train.loop.train(model, text.ids, val_ids, config_for(student, f"run_{name}", **changes))
        expect_float32_weights(student, expect, name, model)
        passes = training_passes(student, model)
        expect_windows(expect, f"dtype {name}", passes, text)
        usable = isinstance(rows, list) and rows and isinstance(rows[0], dict)
        expect.need(
            f"dtype {name}: there is a row", bool(usable), rule="train must return a row after the first update."
        )
        batches = [(passes[0]["x"], text.targets(passes[0]["x"]))]
        float32, bfloat16 = gradient(weights, batches)[0], bfloat16_gradient(weights, batches)[0]
        losses = {"float32": float32, "bfloat16": bfloat16}
        value = rows[0].get("train_loss")
        fits = expect.which_fits(value, {name: losses[name]} | losses, tol="f32")
        expect.true(
            f"dtype {name}: the first train_loss is computed in it",
            fits == name and isinstance(value, float),
            rule="The arithmetic of a run must be that of config.dtype.",
            saw=f'With dtype="{name}" the first train_loss is {value}; it is {float32:.6f} in float32 arithmetic and'
            f" {bfloat16:.6f} in bfloat16.",
            evidence=fits,
        )


def test_train_stops(student, draw, expect):
    """A loss that is NaN or explodes ends the run at once, with a message that helps, and spares the checkpoint."""
    weights, ids = draw_weights(draw), draw_ids(draw)
    exploding = {"max_lr": 1e5, "min_lr": 1e4, "warmup_steps": 1, "grad_clip": None, "steps": 9}
    cases = {
        "a loss of NaN": ({"nan_at": 4}, {}),
        "a loss of NaN before a row": ({"nan_at": 5}, {}),
        "an exploding loss": ({}, exploding),
    }
    for number, (case, (options, changes)) in enumerate(cases.items()):
        model = new_model(student, weights, **options)
        out_dir = f"run_{number}"
        config = config_for(student, out_dir, accumulation_steps=1, **changes)
        error = student.attempt(student.train.loop.train, model, *ids, config)
        updates = len(training_passes(student, model))
        expect_stopped(expect, case, error, updates)
        if "nan_at" in options:
            expect.equal(
                f"{case}: the number of updates",
                updates,
                options["nan_at"] + 1,
                rule="The first update whose loss is NaN must be the last.",
            )
        else:
            expect.below(
                f"{case}: the number of updates",
                updates,
                AT_ONCE,
                rule="A loss of more than 100 nats above the first one must end the run at once.",
            )
        expect_helpful(expect, case, error.message, updates)
        expect_sound_checkpoint(student, expect, case, out_dir)
    for seed in (1, 2, 3):
        expect_measured_from_the_first(student, expect, seed)


def expect_measured_from_the_first(student, expect, seed):
    """A loss that climbs in several updates, of which none adds 100 nats, ends the run like one that leaps."""
    updates = 40
    model = new_model(student, echoing_weights())
    changes = {"steps": updates, "eval_interval": updates, "batch_size": 1, "accumulation_steps": 1, "seed": seed}
    still = {"max_lr": STANDING_STILL, "min_lr": STANDING_STILL, "weight_decay": 0.0}
    config = config_for(student, f"climb_{seed}", **changes, **still)
    student.attempt(student.train.loop.train, model, climbing_ids(), climbing_ids(), config)
    losses = [update.get("loss") for update in training_passes(student, model)]
    if not losses or None in losses:  # a style whose model is never given the targets shows no losses
        return
    over = [number for number, loss in enumerate(losses) if loss > losses[0] + TOO_HIGH]
    last = over[0] if over else updates - 1
    expect.true(
        f"seed {seed}: the run ends with the first update whose loss is too high",
        len(losses) == last + 1,
        rule=CLIMBS,
        saw=f"The run made {len(losses)} updates and should have made {last + 1}; the losses were"
        f" {', '.join(f'{loss:.0f}' for loss in losses[:16])} …",
        record=False,  # how many updates that takes depends on the order in which windows are drawn
    )


def echoing_weights():
    """A model that is sure that each of its first C tokens comes twice: a loss of 0 if it does, of LEAP if not."""
    gain = torch.tensor(LEAP, dtype=torch.float64)
    table = torch.zeros(V, C, dtype=torch.float64)
    table[:C] = torch.eye(C)
    return [gain, table, 20 * torch.eye(C, dtype=torch.float64), torch.zeros(C, dtype=torch.float64)]


def climbing_ids():
    """Equal parts in which the next token is the same always, every other time, and never."""
    part = 120
    parts = [torch.zeros(part), torch.arange(part) // 2 % C, torch.arange(part) % C]
    return torch.cat(parts).to(torch.int64)


def expect_stopped(expect, case, error, updates):
    """The run ended with an error of a fitting kind."""
    stopped = isinstance(error, StudentError)
    expect.need(
        f"{case} ends the run with an error",
        stopped,
        rule="A loss that is not finite, or explodes, must end the run with an error.",
        saw=f"After {case} train returned, with {updates} updates made, as if nothing had happened.",
        evidence=None if stopped else updates,
    )
    expect.true(
        f"{case}: the kind of error",
        bool({"ArithmeticError", "RuntimeError", "ValueError"} & set(error.bases)),
        rule="The error must be a FloatingPointError, or another ArithmeticError, RuntimeError or ValueError.",
        saw=f"The run ended with {error}.",
    )


def expect_helpful(expect, case, message, updates):
    """The message gives the step, counted from 0 or from 1, and names the learning rate."""
    numbers = {int(digits) for digits in re.findall(r"(?<![\d.])\d+(?![\d.]*\d)", message)}
    expect.true(
        f"{case}: the step is in the message",
        bool(numbers & {updates - 1, updates}),
        rule="The message must give the step.",
        saw=f"The run ended at step {updates - 1}, and its message is {message[:200]!r}.",
        record=False,
    )
    expect.true(
        f"{case}: the message names the learning rate",
        re.search(r"learning.?rate|\blr\b|max_lr", message, re.IGNORECASE) is not None,
        rule="The message must say what to look at, the learning rate first.",
        saw=f"The message is {message[:200]!r}.",
    )


def expect_sound_checkpoint(student, expect, case, out_dir):
    """What is in the run's checkpoint, if there is one, can be trained on."""
    path = f"{out_dir}/checkpoint.pt"
    sound = True
    if path in student.files.list():
        model = stub_of(student)
        model.double()
        content = student.keep(student.train.checkpoint.load_checkpoint, path)
        student.instrument("optimizers").restore(content, model)
        sound = bool(torch.isfinite(weights_of(student, model)).all())
    expect.true(
        f"{case}: the checkpoint is sound",
        sound,
        rule="A run must not write a checkpoint after a loss that is not finite, or explodes.",
        saw=f"After {case} the checkpoint holds weights that are not finite.",
    )
