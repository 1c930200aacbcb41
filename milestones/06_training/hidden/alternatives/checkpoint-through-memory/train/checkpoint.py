"""The checkpoint is finished in memory first, and goes to a temporary file with a random name."""

import io
import pathlib
import tempfile
from dataclasses import fields

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    buffer = io.BytesIO()
    settings = {field.name: getattr(config, field.name) for field in fields(config)}
    torch.save(
        dict(
            model={name: tensor.cpu() for name, tensor in model.state_dict().items()},
            optimizer=optimizer.state_dict(),
            step=int(step),
            config=settings,
            tokenizer_hash=str(tokenizer_hash),
            rng=dict(rng),
        ),
        buffer,
    )
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".checkpoint-", delete=False) as file:
        try:
            file.write(buffer.getbuffer())
            file.flush()
        except OSError:
            pathlib.Path(file.name).unlink()
            raise
    pathlib.Path(file.name).replace(path)


def load_checkpoint(path) -> dict:
    with open(path, "rb") as file:
        return torch.load(file, map_location=torch.device("cpu"), weights_only=True)
