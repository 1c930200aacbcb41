"""Filters that return normalised log-probabilities, which are logits like others; top-p by pairwise comparison."""

import torch

MINUS_INFINITY = -torch.inf


def apply_temperature(logits, temperature):
    if not temperature:
        logits = torch.where(logits == logits.amax(-1, keepdim=True), 0.0, MINUS_INFINITY).to(logits)
        return logits.log_softmax(-1)
    return torch.log_softmax(logits / temperature, -1)


def top_k(logits, k):
    rank = logits.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    limit = logits.shape[-1] if k is None else k
    return torch.where(rank < limit, logits, MINUS_INFINITY).log_softmax(-1)


def top_p(logits, p):
    chances = logits.softmax(-1)
    larger = chances.unsqueeze(-2) > chances.unsqueeze(-1)  # [..., i, j]: token j is more probable than token i
    mass = (larger * chances.unsqueeze(-2)).sum(-1)
    keep = (mass < p) | ~larger.any(-1)
    return torch.where(keep, logits, MINUS_INFINITY).log_softmax(-1)


def repetition_penalty(logits, previous_ids, penalty):
    # The sign that counts is that of the raw logit, so nothing is normalised before.
    tokens = torch.arange(logits.shape[-1], device=logits.device)
    seen = (previous_ids.unsqueeze(-1) == tokens).any(-2)
    up, down = logits.clamp(min=0), logits.clamp(max=0)
    return torch.where(seen, up / penalty + down.nan_to_num(neginf=-1e300) * penalty, logits).log_softmax(-1)
