"""A checkpoint is a zip of JSON and raw tensor bytes: nothing in it can be code."""

import json
import os
import zipfile
from dataclasses import asdict, is_dataclass

import torch


def save_checkpoint(path, *, model, optimizer, step, config, tokenizer_hash, rng):
    tensors = []
    outline = {
        "model": _outline(dict(model.state_dict()), tensors),
        "optimizer": _outline(optimizer.state_dict(), tensors),
        "step": step,
        "config": _outline(asdict(config) if is_dataclass(config) else dict(config), tensors),
        "tokenizer_hash": tokenizer_hash,
        "rng": _outline(rng, tensors),
    }
    path = str(path)
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder)
    part = f"{path}.{os.getpid()}.part"
    try:
        with zipfile.ZipFile(part, "w") as archive:
            archive.writestr("outline.json", json.dumps(outline))
            for number, tensor in enumerate(tensors):
                flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                archive.writestr(f"{number}.bin", flat.numpy().tobytes())
        os.rename(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)


def load_checkpoint(path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return _rebuilt(json.loads(archive.read("outline.json")), archive)


def _outline(value, tensors):
    """JSON for a nest of dicts, lists and plain values; tensors are numbered, and keys keep their type."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        dtype = str(value.dtype).removeprefix("torch.")
        return {"tensor": len(tensors) - 1, "dtype": dtype, "shape": list(value.shape)}
    if isinstance(value, dict):
        return {"items": [[key, _outline(part, tensors)] for key, part in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_outline(part, tensors) for part in value]}
    if isinstance(value, list):
        return [_outline(part, tensors) for part in value]
    return value


def _rebuilt(value, archive):
    if isinstance(value, list):
        return [_rebuilt(part, archive) for part in value]
    if not isinstance(value, dict):
        return value
    if "items" in value:
        return {key: _rebuilt(part, archive) for key, part in value["items"]}
    if "tuple" in value:
        return tuple(_rebuilt(part, archive) for part in value["tuple"])
    if "tensor" in value:
        data = bytearray(archive.read(f"{value['tensor']}.bin"))
        dtype = getattr(torch, value["dtype"])
        flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return flat.reshape(value["shape"])
    return {key: _rebuilt(part, archive) for key, part in value.items()}
