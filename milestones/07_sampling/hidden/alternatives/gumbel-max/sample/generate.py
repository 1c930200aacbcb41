"""Draws by Gumbel-max, without a softmax; stream and generate are two loops over the same small step."""

import torch

from sample import filters


def step(model, context, past, cache, temperature, top_k, top_p, repetition_penalty, generator):
    """One new column (B, 1)."""
    logits = (model(context)[0] if cache is None else model(context, None, cache)[0])[:, -1, :]
    if repetition_penalty != 1:
        logits = filters.repetition_penalty(logits, past, repetition_penalty)
    # The model's logits are ours by now: writing into them harms nobody.
    logits = logits.div_(temperature) if temperature else filters.apply_temperature(logits, 0)
    logits = filters.top_k(logits, top_k)
    if top_p is not None and top_p < 1:
        logits = filters.top_p(logits, top_p)
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64, device=logits.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
    return (logits.double() + gumbel).argmax(dim=-1, keepdim=True)


class Still:
    """with Still(model): eval mode and no gradients, and everything back at the end."""

    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.was_training = self.model.training
        self.gradients = torch.is_grad_enabled()
        self.model.eval()
        torch.set_grad_enabled(False)

    def __exit__(self, *error):
        self.model.train(self.was_training)
        torch.set_grad_enabled(self.gradients)


def generate(model, idx, max_new_tokens, *, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0,
             stop_tokens=(), generator=None, use_cache=True):  # fmt: skip
    options = temperature, top_k, top_p, repetition_penalty, generator
    ids, done = idx.clone(), torch.zeros(len(idx), 1, dtype=torch.bool, device=idx.device)
    limit = model.config.block_size
    with Still(model):
        cache = model.new_cache(len(idx)) if use_cache and hasattr(model, "new_cache") else None
        fed = 0
        for _ in range(max_new_tokens):
            if cache is not None and ids.size(1) <= limit:
                new = step(model, ids[:, fed:], ids, cache, *options)
                fed = ids.size(1)
            else:
                new = step(model, ids[:, -limit:], ids, None, *options)
            new = torch.where(done, ids[:, -1:], new)
            for stop in stop_tokens:
                done = done | (new == stop)
            ids = torch.cat((ids, new), dim=1)
    return ids


def stream(model, idx, max_new_tokens, *, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0,
           stop_tokens=(), generator=None, use_cache=True):  # fmt: skip
    options = temperature, top_k, top_p, repetition_penalty, generator
    for _ in range(max_new_tokens):
        with Still(model):  # closed before every yield, so that the caller's modes are the caller's
            new = step(model, idx[:, -model.config.block_size :], idx, None, *options)
        idx = torch.cat((idx, new), dim=1)
        yield int(new)
        if int(new) in stop_tokens:
            break
