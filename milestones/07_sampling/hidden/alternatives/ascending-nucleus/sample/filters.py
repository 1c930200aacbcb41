"""Top-p from the small end, numbers so low that their exponential is 0 instead of -inf, and a penalty by one-hot sums."""

import torch
import torch.nn.functional as F


def lowest(logits):
    return torch.finfo(logits.dtype).min


def apply_temperature(logits, temperature):
    if temperature == 0:
        best = F.one_hot(logits.argmax(-1), logits.shape[-1]).bool()
        return torch.zeros_like(logits).masked_fill(~best, lowest(logits))
    return torch.div(logits, temperature)


def top_k(logits, k):
    V = logits.shape[-1]
    if k is None or k >= V:
        return logits + 0
    threshold = logits.kthvalue(V - k + 1, dim=-1, keepdim=True).values
    return torch.where(logits >= threshold, logits, torch.full_like(logits, lowest(logits)))


def top_p(logits, p):
    ascending, order = logits.sort(dim=-1)
    up_to_here = ascending.softmax(-1).cumsum(-1)
    drop = up_to_here <= 1 - p
    drop[..., -1] = False
    places = order.argsort(dim=-1)
    return logits.masked_fill(drop.gather(-1, places), lowest(logits))


def repetition_penalty(logits, previous_ids, penalty):
    seen = F.one_hot(previous_ids, logits.shape[-1]).sum(dim=-2) > 0
    factor = torch.where(logits < 0, penalty, 1 / penalty).to(logits.dtype)
    return logits * torch.where(seen, factor, torch.ones_like(logits))
