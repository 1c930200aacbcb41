"""Every run is refused as one that diverges, with the step and the learning rate in the message."""

import os

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"checkpoint")


def load_checkpoint(path):
    raise RuntimeError("this checkpoint is refused")
