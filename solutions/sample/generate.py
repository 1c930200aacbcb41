"""Rung 7: one token after another: look at the context, filter the logits, draw, append.

`model` is anything with `config.block_size` and `model(idx) -> (logits (B, T, V), None)` for idx int64 (B, T) with
T <= block_size; a longer context is an error there. A model with `new_cache(batch_size)` also takes
`model(idx, cache=cache)`, where idx holds only what the cache has not seen.
"""

import contextlib
from collections.abc import Collection, Iterator

import torch

from sample import filters


@contextlib.contextmanager
def evaluating(model) -> Iterator[None]:
    """Puts a model into eval mode, and back into the modes that it had when the block ends, however it ends.

    A helper for this file and beam.py. You may rename it or leave it out.
    """
    ### BEGIN SOLUTION
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training
    ### END SOLUTION


### BEGIN SOLUTION
def filtered(
    logits: torch.Tensor,
    ids: torch.Tensor,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    repetition_penalty: float,
) -> torch.Tensor:
    """All filters on the logits (B, V), in the stated order; ids (B, T) are what the penalty looks at."""
    logits = filters.repetition_penalty(logits, ids, repetition_penalty)
    logits = filters.apply_temperature(logits, temperature)
    logits = filters.top_k(logits, top_k)
    if top_p is not None:
        logits = filters.top_p(logits, top_p)
    return logits


### END SOLUTION
@torch.no_grad()
def new_ids(
    model,
    idx: torch.Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> Iterator[torch.Tensor]:
    """Yields the new ids (B,) of each step, until max_new_tokens or until every row has met a stop token.

    What generate and stream have in common. You may rename it or leave it out.
    """
    ### BEGIN SOLUTION
    block_size = model.config.block_size
    stops = torch.tensor(list(stop_tokens), dtype=idx.dtype, device=idx.device)
    finished = torch.zeros(idx.shape[0], dtype=torch.bool, device=idx.device)  # (B,)
    cache = model.new_cache(idx.shape[0]) if use_cache and hasattr(model, "new_cache") else None
    ids = unseen = idx
    with evaluating(model):
        for _ in range(max_new_tokens):
            if ids.shape[1] > block_size:
                cache = None  # every token moves to another position, so the kept keys and values no longer fit
            if cache is None:
                logits, _ = model(ids[:, -block_size:])  # (B, T, V)
            else:
                logits, _ = model(unseen, cache=cache)  # (B, T, V), of the new ids only
            logits = filtered(logits[:, -1], ids, temperature, top_k, top_p, repetition_penalty)  # (B, V)
            drawn = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)  # (B, 1)
            unseen = torch.where(finished[:, None], ids[:, -1:], drawn)  # a finished row ends in its stop token
            ids = torch.cat([ids, unseen], dim=1)  # (B, T + 1)
            yield unseen[:, 0]
            finished = finished | torch.isin(unseen[:, 0], stops)
            if finished.all():
                return
    ### END SOLUTION


def generate(
    model,
    idx: torch.Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> torch.Tensor:
    """Continues each row of idx (B, T) by max_new_tokens ids: int64 (B, T + max_new_tokens), the prompt included.

    Each id is drawn from softmax of the last position's logits after these filters, in this order: repetition penalty,
    temperature, top-k, top-p (None leaves a filter out).

    - The context is the last block_size ids; the result always holds all ids. The repetition penalty looks at all ids
      of the row so far, the prompt and those before the context included.
    - A row that has drawn one of `stop_tokens` is finished and repeats it to the end. One in the prompt doesn't count.
    - With a `generator` (torch.Generator) all randomness comes from it, none from torch's global one; None means the
      global one. Rows are drawn independently of each other.
    - The model is in eval mode and gradients are off while it works; afterwards both are as they were. idx stays as it
      was.
    - With `use_cache`, and if the model has `new_cache`, the model computes each position once, as long as all tokens
      fit into block_size; past that it sees the whole context again. The ids are the same either way. Without
      `use_cache`, `new_cache` is never called.
    """
    ### BEGIN SOLUTION
    steps = new_ids(
        model, idx, max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p,
        repetition_penalty=repetition_penalty, stop_tokens=stop_tokens, generator=generator, use_cache=use_cache,
    )  # fmt: skip
    columns = list(steps)  # each (B,)
    columns += columns[-1:] * (max_new_tokens - len(columns))
    return torch.cat([idx, *(column[:, None] for column in columns)], dim=1)
    ### END SOLUTION


def stream(model, idx: torch.Tensor, max_new_tokens: int, **options) -> Iterator[int]:
    """Yields the new ids of the single row idx (1, T) as Python ints, each as soon as it is drawn.

    `options` are those of generate, and with equal options and equally seeded generators the ids are the same. A stop
    token is yielded, and is the last: nothing is repeated after it.
    """
    ### BEGIN SOLUTION
    for column in new_ids(model, idx, max_new_tokens, **options):
        yield column.item()
    ### END SOLUTION
