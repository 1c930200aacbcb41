"""Filters in plain Python, one row after the other, with lists and sets."""

import math

import torch


def for_each_row(logits, change):
    rows = [change(row) for row in logits.reshape(-1, logits.shape[-1]).tolist()]
    return torch.tensor(rows, dtype=logits.dtype, device=logits.device).reshape(logits.shape)


def apply_temperature(logits, temperature):
    def change(row):
        if temperature == 0:
            top = max(row)
            return [x if x == top else -math.inf for x in row]
        return [x / temperature for x in row]

    return for_each_row(logits, change)


def top_k(logits, k):
    def change(row):
        best = sorted(range(len(row)), key=lambda i: -row[i])[:k]
        return [x if i in best else -math.inf for i, x in enumerate(row)]

    return for_each_row(logits, change)


def top_p(logits, p):
    def change(row):
        top = max(row)
        powers = [math.exp(x - top) for x in row]
        kept, mass = set(), 0.0
        for i in sorted(range(len(row)), key=lambda i: -row[i]):
            kept.add(i)
            mass += powers[i] / sum(powers)
            if mass >= p:
                break
        return [x if i in kept else -math.inf for i, x in enumerate(row)]

    return for_each_row(logits, change)


def repetition_penalty(logits, previous_ids, penalty):
    pasts = iter(previous_ids.reshape(-1, previous_ids.shape[-1]).tolist())

    def change(row):
        for token in set(next(pasts)):
            row[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
        return row

    return for_each_row(logits, change)
