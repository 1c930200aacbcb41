"""Past block_size a new cache is filled with the last block_size ids at every step; a queue of functions filters."""

import functools

import torch

from sample import filters


def decoder(function):
    """Runs a generator function in eval mode without gradients; both are the caller's own whenever it waits."""

    @functools.wraps(function)
    def wrapped(model, *args, **kwargs):
        steps = function(model, *args, **kwargs)
        while True:
            modes = [(module, module.training) for module in model.modules()]
            model.eval()
            try:
                with torch.no_grad():
                    value = next(steps)
            except StopIteration:
                return
            finally:
                for module, mode in modes:
                    module.training = mode
            yield value

    return wrapped


@decoder
def tokens(model, ids, n, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0, stop_tokens=(),
           generator=None, use_cache=True):  # fmt: skip
    chain = [lambda logits: filters.apply_temperature(logits, temperature)]
    chain += [lambda logits: filters.top_k(logits, top_k)] if top_k else []
    chain += [lambda logits: filters.top_p(logits, top_p)] if top_p is not None else []
    size = model.config.block_size
    caching = use_cache and getattr(model, "new_cache", None) is not None
    cache = None
    stopped = torch.full((len(ids),), -1, device=ids.device)  # the stop token of each finished row
    for _ in range(n):
        if not caching:
            output = model(ids[:, -size:])
        elif cache is None or ids.shape[1] > size:
            cache = model.new_cache(len(ids))
            output = model(ids[:, -size:], cache=cache)
        else:
            output = model(ids[:, -1:], cache=cache)
        logits = filters.repetition_penalty(output[0][:, -1], ids, repetition_penalty)
        for function in chain:
            logits = function(logits)
        weights = (logits - logits.amax(-1, keepdim=True)).exp()  # multinomial scales the row itself
        new = torch.multinomial(weights, 1, generator=generator).squeeze(1)
        new = torch.where(stopped >= 0, stopped, new)
        for token in stop_tokens:
            stopped = torch.where(new == token, new, stopped)
        ids = torch.cat([ids, new.unsqueeze(1)], 1)
        yield new


def generate(model, idx, max_new_tokens, **options):
    return torch.cat([idx, *(new[:, None] for new in tokens(model, idx, max_new_tokens, **options))], 1)


def stream(model, idx, max_new_tokens, **options):
    stops = options.get("stop_tokens", ())
    for new in tokens(model, idx, max_new_tokens, **options):
        yield int(new[0])
        if int(new[0]) in stops:
            return
