"""A run on disk: everything that is needed to go on as if nothing had happened."""

import dataclasses
import os

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    """Writes a checkpoint to the file `path`, making its folder if need be.

    model, optimizer: their state_dicts are stored
    step:             int, updates made so far
    config:           a dataclass (TrainConfig); its fields are stored as a dict
    tokenizer_hash:   str, says which tokenizer made the ids
    rng:              dict of tensors, states of random generators; what is in it is the caller's business

    Atomic: at every moment `path` holds a whole checkpoint, the old one or the new one. Where writing fails (a full
    disk), the error is raised and the old checkpoint is still there, whole.
    """
    ### BEGIN SOLUTION
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "config": dataclasses.asdict(config),
        "tokenizer_hash": tokenizer_hash,
        "rng": rng,
    }
    path = os.fspath(path)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    unfinished = path + ".unfinished"  # in the same folder: renaming is atomic only within one file system
    try:
        with open(unfinished, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name moves, or a power cut leaves an empty file
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
    ### END SOLUTION


def load_checkpoint(path) -> dict:
    """What save_checkpoint stored, with the keys "model", "optimizer", "step", "config", "tokenizer_hash" and "rng".

    Tensors are on the CPU. Safe for files of strangers: a file that would run code while it is read (any pickle can)
    raises an error instead.
    """
    ### BEGIN SOLUTION
    return torch.load(path, map_location="cpu", weights_only=True)
    ### END SOLUTION
