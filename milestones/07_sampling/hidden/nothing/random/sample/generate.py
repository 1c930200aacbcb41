"""Filters add noise, and ids are drawn evenly from the vocabulary, by the generator that is given."""

import torch


def generate(model, idx, max_new_tokens, *, generator=None, use_cache=True, stop_tokens=(), **options):
    with torch.no_grad():
        V = model(idx[:, -model.config.block_size :])[0].shape[-1]
    new = torch.randint(V, (len(idx), max_new_tokens), generator=generator)
    return torch.cat([idx, new], dim=1)


def stream(model, idx, max_new_tokens, **options):
    yield from generate(model, idx, max_new_tokens, **options)[0, idx.shape[1] :].tolist()
