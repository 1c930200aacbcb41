"""The model is asked for a loss, and nothing is done with the answer."""

import os

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"checkpoint")


def load_checkpoint(path):
    return torch.load(path)
