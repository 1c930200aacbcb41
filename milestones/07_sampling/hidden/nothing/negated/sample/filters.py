"""Filters turn the signs of logits round, and ids are drawn evenly from the vocabulary."""

import torch


def apply_temperature(logits, temperature):
    return -logits


def top_k(logits, k):
    return -logits


def top_p(logits, p):
    return -logits


def repetition_penalty(logits, previous_ids, penalty):
    return -logits
