"""Judges estimate_loss in train/loop.py: a mean loss that is right, and a measurement that leaves no trace."""

from typing import NamedTuple

import torch

from autograder.grading.student import StudentError

from .lent_model import new_model, passes_of, stub_of
from .random_text import Text, by_chance, expect_windows
from .tiny_model import B, T, draw_weights, equal_bits, flat, weights_of
from .whole_run import estimated

BATCHES = 20
WHOLE = 0.95  # share of the positions from which on an estimate counts as one over all ids


class Estimate(NamedTuple):
    value: float
    starts: list  # of each batch, where its windows begin in the text
    whole: bool  # whether it covers all ids


def test_estimate_value(student, draw, expect):
    """The estimate is the mean loss in eval mode over batches from all of the ids, the same for the same seed."""
    text, weights = Text(draw, 600), draw_weights(draw)
    seed = draw.integer(1, 10**6)
    first, again, other = (
        expect_estimate(student, expect, f"estimate {number}", text, weights, one)
        for number, one in enumerate((seed, seed, seed + 1), start=1)
    )
    expect.true(
        "the same seed gives the same estimate",
        first.value == again.value,
        rule="Two estimates of equal weights with one seed must be equal.",
        saw=f"Two estimates with one seed are {first.value!r} and {again.value!r}.",
    )
    expect.true(
        "another seed gives other batches",
        first.whole or first.starts != other.starts,
        rule="The batches must follow from `seed`, unless all of the ids are measured.",
        saw="Two different seeds give the same batches.",
    )


def expect_estimate(student, expect, what, text, weights, seed):
    """One estimate is right in all that can be said of it alone."""
    model = new_model(student, weights)
    value = estimated(student, model, text.ids, seed, BATCHES)
    is_float = isinstance(value, float)
    expect.need(f"{what}: it is a float", is_float, rule="estimate_loss must return a Python float.")
    passes = passes_of(student, model)
    starts = expect_windows(expect, what, passes, text)
    modes = sorted({bool(forward["training"]) for forward in passes})
    expect.true(
        f"{what}: the model is in eval mode",
        modes == [False],
        rule="The model must be in eval mode while it is measured, with all of its modules.",
        saw="The model, or a module in it, was in train mode while it was measured.",
        evidence=modes,
    )
    expect_mean(expect, what, value, passes, starts, text.losses(weights), text.losses(weights, training=True))
    whole = covers(text, passes, starts)
    expect_batches(expect, what, starts, whole)
    expect_near(expect, what, value, text.losses(weights), sum(map(len, starts)))
    return Estimate(value, starts, whole)


def expect_mean(expect, what, value, passes, starts, losses, noisy):
    """The value is the mean loss of the batches that the model was given: of batches, or of tokens."""
    means, noisy_means = batch_means(losses, passes, starts), batch_means(noisy, passes, starts)
    tokens = torch.cat(
        [losses[i : i + one["x"].shape[1]] for part, one in zip(starts, passes, strict=True) for i in part]
    )
    right = {"the mean over its tokens": tokens.mean(), "the mean of its batches": means.mean()}
    wrong = {"the mean in train mode": noisy_means.mean(), "the sum of its batches' means": means.sum()}
    fits = expect.which_fits(value, right | wrong, tol="f32")
    expect.true(
        f"{what}: it is the mean loss of its batches",
        fits in right,
        rule="estimate_loss must return the mean loss of the batches that the model is given.",
        saw=f"{what}: estimate_loss is {value:.5f}{f', {fits}' if fits else ''}; the mean loss of the batches that the"
        f" model got is {means.mean():.5f}.",
        evidence=fits,
    )


def batch_means(losses, passes, starts):
    """The mean loss of each batch, (number of batches,)."""
    lengths = [forward["x"].shape[1] for forward in passes]
    return torch.stack(
        [
            torch.stack([losses[start : start + length] for start in part]).mean()
            for part, length in zip(starts, lengths, strict=True)
        ]
    )


def covers(text, passes, starts):
    """Whether (nearly) every position of the text was measured."""
    lengths = [forward["x"].shape[1] for forward in passes]
    positions = {
        start + offset
        for part, length in zip(starts, lengths, strict=True)
        for start in part
        for offset in range(length)
    }
    return len(positions) >= WHOLE * (len(text.ids) - 1) - T


def expect_batches(expect, what, starts, whole):
    """As many batches as were asked for, and different ones."""
    windows = sum(map(len, starts))
    expect.true(
        f"{what}: it has all its batches",
        whole or windows == BATCHES * B,
        rule="The model must be given as many batches of batch_size windows as `batches` says, or all of the ids.",
        saw=f"{BATCHES} batches of {B} were asked for, and the model was given {windows} windows.",
        evidence=windows,
    )
    different = len(set(map(tuple, starts)))
    expect.true(
        f"{what}: its batches differ",
        different > len(starts) // 2,
        rule="Each batch must be drawn anew: measuring the same windows again says nothing new.",
        saw=f"Of {len(starts)} batches only {different} are different ones. Is the generator seeded for each batch?",
    )


def expect_near(expect, what, value, losses, windows):
    """The value is near the loss over all ids, as near as chance explains."""
    bound = by_chance(losses, windows)
    expect.true(
        f"{what}: its batches come from all of the ids",
        abs(value - losses.mean().item()) <= bound,
        rule="The batches must be drawn from the whole of the ids.",
        saw=f"estimate_loss is {value:.4f}; over all ids the loss is {losses.mean().item():.4f}, and chance explains a"
        f" difference of {bound:.4f}.",
    )


def test_estimate_leaves_no_trace(student, draw, expect):
    """Measuring changes nothing: mode, global random numbers, gradients, weights and autograd are as before."""
    text, weights = Text(draw, 200), draw_weights(draw)
    for mode in ("train", "eval"):
        model = new_model(student, weights)
        getattr(model, mode)()
        expect_undisturbed_numbers(student, expect, mode, model, text)
        modes = student.modes(model)
        expect.true(
            f"a model in {mode} mode is in {mode} mode afterwards",
            all(flag == (mode == "train") for flag in modes),
            rule="After estimate_loss the model must be in the mode that it was in before.",
            saw=f"The model was in {mode} mode before estimate_loss, and is not afterwards.",
            evidence=modes,
        )
        expect_no_gradients(student, expect, mode, model)
        expect.close(
            f"{mode} mode: the weight vector",
            weights_of(student, model),
            flat(weights),
            rule="estimate_loss must leave the weights as they are.",
        )
        model.train()
        model(text.ids[None, :T], text.ids[None, 1 : T + 1])
        expect.true(
            f"{mode} mode: gradients are switched on afterwards",
            bool(passes_of(student, model)[-1]["grad"]),
            rule="After estimate_loss gradients must be switched on, as they were before.",
            saw="After estimate_loss gradients are still switched off.",
        )
    expect_own_device(student, expect, text)


def expect_undisturbed_numbers(student, expect, mode, model, text):
    """The global generator goes on after an estimate as if there had been none."""
    randomness = student.instrument("global_random")
    randomness.seed(5)
    randomness.numbers()  # the run is under way: seeding the generator as it once was seeded would not do
    estimated(student, model, text.ids, seed=3, batches=2)
    after = randomness.numbers()
    randomness.seed(5)
    randomness.numbers()
    expect.true(
        f"{mode} mode: the global random numbers are undisturbed",
        equal_bits(after, randomness.numbers()),
        rule="estimate_loss must neither draw from torch's global generator nor seed it, or measuring changes the run.",
        saw="After estimate_loss torch's global generator gives other numbers than without it.",
    )


def expect_no_gradients(student, expect, mode, model):
    """No pass of the estimate had gradients on, and no parameter has one now."""
    graded = sorted({bool(forward["grad"]) for forward in passes_of(student, model)})
    expect.true(
        f"{mode} mode: gradients are off while measuring",
        graded == [False],
        rule="estimate_loss must run the model without gradients, which cost time and memory.",
        saw="The model was run with gradients on." if True in graded else "The model was not run.",
        evidence=graded,
    )
    expect.true(
        f"{mode} mode: no parameter has a gradient afterwards",
        not any(parameter["has_grad"] for parameter in student.parameters(model)),
        rule="After estimate_loss the parameters must have no gradients.",
    )


def expect_own_device(student, expect, text):
    """A model on another device gets its batches there."""
    away = stub_of(student)
    away.to("meta")
    kind = None
    try:
        estimated(student, away, text.ids, seed=3, batches=1)
    except StudentError as error:  # a tensor on meta has no data, so reading the loss raises
        kind = error.type
    devices = sorted({forward["device"] for forward in passes_of(student, away)})
    if kind == "WireError":  # the stub asked for a pass on the CPU, with weights that have no data to send
        devices = ["cpu"]
    expect.true(
        "the batches are on the model's device",
        devices in ([], ["meta"]),
        rule="estimate_loss must move each batch to the device of the model.",
        saw=f"The model is on the device meta, and was given a batch on {' and on '.join(devices)}.",
        evidence=devices,
    )
