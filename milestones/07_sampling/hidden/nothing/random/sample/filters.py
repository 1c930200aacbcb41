"""Filters add noise, and ids are drawn evenly from the vocabulary, by the generator that is given."""

import torch


def apply_temperature(logits, temperature):
    return logits + torch.randn_like(logits)


def top_k(logits, k):
    return logits + torch.randn_like(logits)


def top_p(logits, p):
    return logits + torch.randn_like(logits)


def repetition_penalty(logits, previous_ids, penalty):
    return logits + torch.randn_like(logits)
