"""Checkpoints: a run on disk, with everything that is needed to go on as if nothing had happened."""

import dataclasses
import os
from typing import Any

import torch
from torch import nn


def save_checkpoint(
    path: str | os.PathLike,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    config: Any,
    tokenizer_hash: str,
    rng: dict[str, torch.Tensor],
) -> None:
    """Writes a checkpoint to the file `path`, and makes its folder if need be.

    model, optimizer: their state_dicts are stored
    step:             updates made so far
    config:           a dataclass (TrainConfig); its fields are stored as a dict
    tokenizer_hash:   says which tokenizer made the ids
    rng:              states of random generators; the caller decides which, and what they are called

    Saving is atomic: at every moment `path` holds a whole checkpoint, the old one or the new one. If writing fails (a
    full disk), the error is raised and the old checkpoint is still there, whole.
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
    unfinished = path + ".unfinished"  # in the same folder: a rename is atomic only within one file system
    try:
        with open(unfinished, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())  # before the name moves, or a power cut could leave an empty file
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
    ### END SOLUTION


def load_checkpoint(path: str | os.PathLike) -> dict:
    """What save_checkpoint stored, with the keys "model", "optimizer", "step", "config", "tokenizer_hash" and "rng".

    Tensors are on the CPU. A stranger's file can be loaded safely: if it would run code while it is read (any pickle
    can), an error is raised instead.
    """
    ### BEGIN SOLUTION
    return torch.load(path, map_location="cpu", weights_only=True)
    ### END SOLUTION
