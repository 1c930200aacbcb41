"""Filters that write the kept logits into a row of -inf, by index: ties in top-k and at temperature 0 keep one only."""

import torch

NEVER = float("-inf")


def only(logits, index):
    """A row of -inf with the logits at these indices."""
    return torch.full_like(logits, NEVER).scatter(-1, index, logits.gather(-1, index))


def apply_temperature(logits, temperature):
    if temperature > 0:
        return logits * (1.0 / temperature)
    return only(logits, logits.argmax(dim=-1, keepdim=True))


def top_k(logits, k):
    if k is None:
        return logits
    _, index = torch.topk(logits, min(k, logits.size(-1)), dim=-1)
    return only(logits, index)


def top_p(logits, p):
    # The shift: a token is removed if the sum was above p before it came.
    values, index = torch.sort(logits, descending=True, dim=-1)
    remove = torch.cumsum(torch.softmax(values, dim=-1), dim=-1) > p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = False
    values = torch.where(remove, torch.full_like(values, NEVER), values)
    return torch.empty_like(logits).scatter_(-1, index, values)


def repetition_penalty(logits, previous_ids, penalty):
    picked = logits.gather(-1, previous_ids)
    picked = torch.where(picked < 0, picked * penalty, picked / penalty)
    return logits.scatter(-1, previous_ids, picked)  # the same value again for a token that occurs twice
