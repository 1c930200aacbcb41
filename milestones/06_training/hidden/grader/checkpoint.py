"""Judges train/checkpoint.py: what a checkpoint holds, how it is replaced, and whose code runs when it is read."""

import io
import os

import torch

from autograder.grading.student import Ref, StudentError

from .lent_model import new_model, stub_of
from .tiny_model import draw_weights, equal_bits, weights_of
from .whole_run import RUN, config_for, read_file

CONTENT = ("model", "optimizer", "step", "config", "tokenizer_hash", "rng")


def with_adam(student, draw, hands, steps=2):
    """A model and an AdamW that have some updates behind them."""
    model = new_model(student, draw_weights(draw))
    optimizer = student.keep(hands.adam_of, model, 0.05)
    for _ in range(steps):
        hands.give_gradients(model, draw_weights(draw))
        optimizer.step()
    return model, optimizer


def content_of(student, model, optimizer, *, step=3, tokenizer_hash="0a1b", rng=None):
    """The arguments of save_checkpoint, besides the path."""
    return {
        "model": model,
        "optimizer": optimizer,
        "step": step,
        "config": config_for(student, "somewhere"),
        "tokenizer_hash": tokenizer_hash,
        "rng": rng or {},
    }


def test_checkpoint_round_trip(student, draw, expect):
    """A checkpoint holds model, optimizer, step, config, tokenizer hash and random states, and gives them back."""
    hands, path = student.instrument("optimizers"), "new/folder/checkpoint.pt"
    model, optimizer = with_adam(student, draw, hands)
    rng = {"torch": draw.randint(0, 256, (40,)).to(torch.uint8), "batches": draw.randint(0, 256, (24,)).to(torch.uint8)}
    step, name = draw.integer(100, 10**6), draw.text("0123456789abcdef", 12)
    saved = content_of(student, model, optimizer, step=step, tokenizer_hash=name, rng=rng)
    student.train.checkpoint.save_checkpoint(path, **saved)
    was = weights_of(student, model)
    gradients, seed = draw_weights(draw), draw.seed()
    hands.give_gradients(model, gradients)
    optimizer.step()
    content = student.train.checkpoint.load_checkpoint(path)
    expect.need("load_checkpoint returns a dict", isinstance(content, dict), rule="load_checkpoint must return a dict.")
    missing = [key for key in CONTENT if key not in content]
    expect.need(
        "the checkpoint has all its keys",
        not missing,
        rule=f"load_checkpoint must give the keys {', '.join(CONTENT)}.",
        saw=f"Not there: {', '.join(missing)}.",
        evidence=missing,
    )
    expect.equal("the step", content["step"], step, rule="load_checkpoint must give the step that was saved.")
    rule = "load_checkpoint must give the tokenizer_hash that was saved."
    expect.equal("the tokenizer_hash", content["tokenizer_hash"], name, rule=rule)
    expect_settings(student, expect, content["config"])
    held = content["rng"]
    expect.true(
        "the random states are those that were saved",
        isinstance(held, dict)
        and set(held) == set(rng)
        and all(isinstance(held[key], torch.Tensor) and equal_bits(held[key], rng[key]) for key in rng),
        rule="load_checkpoint must give the random states that were saved, under rng.",
    )
    student.instrument("global_random").seed(seed)
    expect_same_future(student, expect, content, was, gradients, weights_of(student, model))


def expect_settings(student, expect, config):
    """The saved config has the settings of the one that was given."""
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in RUN.items()}
    kept = {name: setting(student, config, name) for name in given}
    differing = sorted(name for name in given if kept[name] != given[name])
    expect.true(
        "the config has the settings that were saved",
        not differing,
        rule="load_checkpoint must give the settings of the config that was saved.",
        saw=f"These settings are not those that were saved: {', '.join(f'{name}={kept[name]}' for name in differing)}.",
        evidence=differing,
    )


def setting(student, config, name):
    """A field of a saved config, whether it is a dict or an object; tuples come as lists."""
    if isinstance(config, dict):
        return config.get(name)
    try:
        return student.value(getattr(config, name)) if isinstance(config, Ref) else None
    except StudentError:  # an object without such a field
        return None


def expect_same_future(student, expect, content, was, gradients, later):
    """A fresh model and optimizer with the checkpoint's state have the old weights, and make the same next step."""
    hands = student.instrument("optimizers")
    model = stub_of(student)
    model.double()
    optimizer = student.keep(hands.adam_of, model, 0.9)
    error = student.attempt(hands.restore, content, model, optimizer)
    expect.need(
        "model and optimizer are state_dicts",
        not isinstance(error, StudentError),
        rule='"model" and "optimizer" must be state_dicts that load_state_dict takes.',
        saw=f"load_state_dict raised {error}.",
    )
    expect.true(
        "the weights are those of the moment of saving",
        equal_bits(weights_of(student, model), was),
        rule='"model" must hold the weights of the moment of saving, to the last bit.',
    )
    hands.give_gradients(model, gradients)
    optimizer.step()
    expect.true(
        "the loaded optimizer makes the same next step",
        equal_bits(weights_of(student, model), later),
        rule='"optimizer" must hold all of AdamW\'s state: its moments, step count and learning rate.',
        saw="The next step of the loaded optimizer ends elsewhere than that of the saved one.",
    )


def restored(student, draw, hands, path):
    """(step, weights) of the checkpoint at `path`, put into a fresh model and optimizer; None if that is impossible."""
    model, optimizer = with_adam(student, draw, hands, steps=0)
    content = student.attempt(student.train.checkpoint.load_checkpoint, path)
    if not isinstance(content, dict):
        return None
    error = student.attempt(hands.restore, content, model, optimizer)
    return None if isinstance(error, StudentError) else (content.get("step"), weights_of(student, model))


def is_checkpoint(found, step, weights):
    """Whether `restored` found this step and these weights."""
    return found is not None and found[0] == step and equal_bits(found[1], weights)


def test_checkpoint_atomic(student, draw, expect):
    """A save that fails half-way says so, and leaves the old checkpoint whole."""
    hands, disk, path = student.instrument("optimizers"), student.instrument("full_disk"), "folder/checkpoint.pt"
    save = student.train.checkpoint.save_checkpoint
    old_model, old_optimizer = with_adam(student, draw, hands)
    model, optimizer = with_adam(student, draw, hands)
    share = 0.2 + 0.6 * float(draw.rand(1))
    save(path, **content_of(student, old_model, old_optimizer, step=3))
    size = len(read_file(student, path) or b"")
    expect.need("save_checkpoint writes a file", size > 0, rule="save_checkpoint must write the file `path`.")
    for what, room in (("no room", 0), ("room for a part", int(share * size))):
        content = content_of(student, model, optimizer, step=4)
        disk.fill(room)
        try:
            error = student.attempt(save, path, **content)
        finally:
            disk.clear()
        expect.true(
            f"{what}: save_checkpoint raises",
            isinstance(error, StudentError),
            rule="save_checkpoint must raise an error if the disk is full.",
            saw=f"On a disk that has {what}, save_checkpoint raised nothing.",
        )
        expect.true(
            f"{what}: the old checkpoint is whole",
            is_checkpoint(restored(student, draw, hands, path), 3, weights_of(student, old_model)),
            rule="After a save that failed the old checkpoint must be there, whole: hours of training are in it.",
            saw=f"After a save on a disk that has {what}, the old checkpoint can't be loaded any more.",
            evidence=path in student.files.list(),
        )
    expect_whole_at_every_moment(student, expect, path, content_of(student, model, optimizer, step=5))
    expect.true(
        "with room again, the new checkpoint is there",
        is_checkpoint(restored(student, draw, hands, path), 5, weights_of(student, model)),
        rule="After a save that failed, the next one must replace the checkpoint.",
    )


class Moments:
    """What happened to a watched file, in words, in order."""

    answers = frozenset({"saw"})
    known = "emptied and written anew", "removed", "renamed"

    def __init__(self):
        self.moments = []

    def saw(self, what):
        self.moments.append(self.known[self.known.index(what)])


def expect_whole_at_every_moment(student, expect, path, content):
    """The file is replaced in one go."""
    record = Moments()
    watched = student.instrument("watched_file", path, asks=record)
    watched.watch(True)
    student.attempt(student.train.checkpoint.save_checkpoint, path, **content)
    watched.watch(False)
    moments = record.moments
    expect.true(
        "the file is whole at every moment",
        not moments,
        rule="At every moment `path` must be a whole checkpoint, even if the power goes: os.replace gives the name to"
        " the new file at once.",
        saw=f"While save_checkpoint replaces {path}, the old file is {' and '.join(moments)}.",
        evidence=moments,
    )


class RunsCode:
    """Unpickling one of these makes a folder: in a stranger's file it could be anything."""

    def __reduce__(self):
        return os.mkdir, ("made_by_the_checkpoint",)


def has_run(student):
    """Whether the folder was made. It is empty, so it shows by being in the way of a file."""
    try:
        student.files.put("made_by_the_checkpoint", b"")
    except StudentError:
        return True
    return False


def test_checkpoint_safe(student, draw, expect):
    """A file that would run code while it is read is refused, and the code does not run."""
    hands, load = student.instrument("optimizers"), student.train.checkpoint.load_checkpoint
    model, optimizer = with_adam(student, draw, hands)
    student.train.checkpoint.save_checkpoint("mine.pt", **content_of(student, model, optimizer))
    own = restored(student, draw, hands, "mine.pt")
    rule = "load_checkpoint must load what save_checkpoint saved."
    expect.true("a checkpoint of one's own is loaded", own is not None, rule=rule)
    for what, zipped in (("a file as torch.save writes it", True), ("a bare pickle", False)):
        buffer = io.BytesIO()
        torch.save({"model": RunsCode(), "step": 3}, buffer, _use_new_zipfile_serialization=zipped)
        student.files.put("strange.pt", buffer.getvalue())
        returned = student.attempt(load, "strange.pt")
        expect.true(
            f"{what}: no code runs",
            not has_run(student),
            rule="load_checkpoint must not run code from a file: torch.load has an argument against that.",
            saw=f"load_checkpoint ran the command that was in {what}.",
        )
        expect.true(
            f"{what}: it is refused",
            isinstance(returned, StudentError),
            rule="load_checkpoint must raise an error if a file holds a command.",
            saw=f"load_checkpoint accepted {what} that holds a command.",
        )
