"""Rung 7: beam search (Sutskever et al. 2014): not a sample, but a search for a probable continuation."""

import torch


@torch.no_grad()
def beam_search(model, idx: torch.Tensor, max_new_tokens: int, beam_width: int) -> list[tuple[torch.Tensor, float]]:
    """The most probable continuations that a beam search finds, best first (Sutskever et al. 2014, section 3.2).

    At each step every kept sequence is continued by every token, and the beam_width sequences with the highest total
    log-probability are kept, whichever sequence they continue.

    idx: int64 (1, T). Returns (ids, log_probability) pairs, beam_width of them, or all V ** max_new_tokens if that is
    fewer. ids: int64 (T + max_new_tokens,), the prompt included. log_probability: a float, the sum of
    log softmax(logits)[id] over the new ids; it is not divided by the length, and the prompt's ids don't count.

    The context is the last block_size ids. The model is in eval mode and gradients are off while it works; afterwards
    both are as they were.
    """
    ### BEGIN SOLUTION
    from sample.generate import evaluating  # imported here so that this file can be tried before generate.py is there

    ids = idx  # (W, T), one row for each beam
    totals = torch.zeros(1, dtype=torch.float64, device=idx.device)  # (W,)
    with evaluating(model):
        for _ in range(max_new_tokens):
            logits, _ = model(ids[:, -model.config.block_size :])
            log_probabilities = logits[:, -1].double().log_softmax(dim=-1)  # (W, V)
            candidates = (totals[:, None] + log_probabilities).flatten()  # (W * V,)
            totals, best = candidates.topk(min(beam_width, len(candidates)))
            parents, tokens = best // logits.shape[-1], best % logits.shape[-1]
            ids = torch.cat([ids[parents], tokens[:, None]], dim=1)
    return list(zip(ids, totals.tolist(), strict=True))
    ### END SOLUTION
