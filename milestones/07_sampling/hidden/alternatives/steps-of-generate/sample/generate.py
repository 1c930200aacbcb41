"""stream asks generate for one token at a time; a stop token is noticed by comparing with a set."""

import torch
import torch.nn.functional as F

from sample import filters


def generate(model, idx, max_new_tokens, *, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0,
             stop_tokens=(), generator=None, use_cache=True):  # fmt: skip
    stop_tokens = set(stop_tokens)
    training = model.training
    model.eval()
    rows = [row.tolist() for row in idx]
    cache = model.new_cache(len(rows)) if use_cache and hasattr(model, "new_cache") else None
    with torch.no_grad():
        for step in range(max_new_tokens):
            ids = torch.tensor(rows, device=idx.device)
            context = ids[:, -model.config.block_size :]
            if cache is not None and ids.shape[1] <= model.config.block_size:
                logits, _ = model(ids if step == 0 else ids[:, -1:], cache=cache)
            else:
                logits, _ = model(context)
            logits = logits[:, -1]
            logits = filters.repetition_penalty(logits, ids, repetition_penalty)
            logits = filters.apply_temperature(logits, temperature)
            logits = filters.top_k(logits, top_k)
            logits = filters.top_p(logits, 1.0 if top_p is None else top_p)
            chosen = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1, generator=generator)
            for row, (token,) in zip(rows, chosen.tolist(), strict=True):
                finished = len(row) > idx.shape[1] and row[-1] in stop_tokens
                row.append(row[-1] if finished else token)
    model.train(training)
    return torch.tensor(rows, dtype=torch.int64, device=idx.device)


def stream(model, idx, max_new_tokens, stop_tokens=(), **options):
    for _ in range(max_new_tokens):
        idx = generate(model, idx, 1, **options)
        yield idx[0, -1]
        if idx[0, -1] in stop_tokens:
            return
