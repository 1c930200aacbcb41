"""Draws by inverse CDF into a result made in advance; finished rows leave the batch's computation alone."""

import torch

from sample.filters import apply_temperature, repetition_penalty as penalise, top_k as keep_k, top_p as keep_p


def draw(probabilities, generator):
    edges = probabilities.cumsum(dim=-1)
    point = torch.rand(len(edges), 1, generator=generator, dtype=edges.dtype, device=edges.device)
    # Scaled by the row's own total, so that rounding can't put a point past the end.
    chosen = torch.searchsorted(edges, point * edges[:, -1:], right=True).squeeze(1)
    last_possible = (probabilities > 0).long().cumsum(-1).argmax(-1)
    return torch.minimum(chosen, last_possible)


def columns(model, idx, n, temperature, top_k, top_p, repetition_penalty, stop_tokens, generator, use_cache):
    """Yields (column number, its ids) and fills one tensor of the final size."""
    B, T = idx.shape
    result = idx.new_empty(B, T + n)
    result[:, :T] = idx
    alive = torch.ones(B, dtype=torch.bool, device=idx.device)
    cache, used = None, 0
    for t in range(T, T + n):
        start = max(0, t - model.config.block_size)
        if use_cache and start == 0 and hasattr(model, "new_cache"):
            if cache is None:
                cache = model.new_cache(batch_size=B)
            logits = model(result[:, used:t], cache=cache)[0][:, -1]
            used = t
        else:
            logits = model(result[:, start:t])[0][:, -1]
        logits = apply_temperature(penalise(logits, result[:, :t], repetition_penalty), temperature)
        logits = keep_k(logits, top_k)
        logits = logits if top_p is None else keep_p(logits, top_p)
        fresh = draw(torch.softmax(logits, dim=-1), generator)
        result[:, t] = torch.where(alive, fresh, result[:, t - 1])
        for stop in stop_tokens:
            alive = alive & (result[:, t] != stop)
        yield result, t
        if not alive.any():
            result[:, t + 1 :] = result[:, t : t + 1]
            return


def generate(model, idx, max_new_tokens, *, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0,
             stop_tokens=(), generator=None, use_cache=True):  # fmt: skip
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            result = idx
            for result, _ in columns(model, idx, max_new_tokens, temperature, top_k, top_p, repetition_penalty,
                                     stop_tokens, generator, use_cache):  # fmt: skip
                pass
    finally:
        model.train(was_training)
    return result.clone()


def stream(model, idx, max_new_tokens, **options):
    settings = {"temperature": 1.0, "top_k": None, "top_p": None, "repetition_penalty": 1.0, "stop_tokens": (),
                "generator": None, "use_cache": True} | options  # fmt: skip
    was_training = model.training
    model.eval()
    steps = columns(model, idx, max_new_tokens, *settings.values())
    try:
        while True:
            with torch.no_grad():
                result, t = next(steps)
            yield result[0, t].item()
    except StopIteration:
        return
    finally:
        model.train(was_training)
