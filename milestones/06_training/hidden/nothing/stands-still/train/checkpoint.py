"""Every call succeeds, leaves no trace and makes no step; a run goes through the windows in order."""

import os

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"checkpoint")


def load_checkpoint(path):
    raise RuntimeError("this checkpoint is refused")
