"""What the filters must compute, in float64, written for reading: submissions are compared with it."""

import torch

INF = float("inf")

ORDER = ("penalty", "temperature", "top-k", "top-p")


def keep_largest(logits, k):
    """The k largest logits of each row, the others at -inf: logits (..., V), k < V, no ties at the boundary."""
    kth = logits.sort(dim=-1, descending=True).values[..., k - 1 : k]  # (..., 1)
    return logits.masked_fill(logits < kth, -INF)


def keep_best(logits):
    """The largest logit of each row, and those that equal it; the others at -inf."""
    return logits.masked_fill(logits < logits.max(dim=-1, keepdim=True).values, -INF)


def keep_nucleus(logits, p):
    """A token stays if the more probable ones hold less than p; the most probable one always stays."""
    probabilities = logits.softmax(dim=-1)
    larger = probabilities[..., None, :] > probabilities[..., :, None]  # (..., V, V)
    mass_above = (larger * probabilities[..., None, :]).sum(dim=-1)  # (..., V)
    return logits.masked_fill((mass_above >= p) & larger.any(dim=-1), -INF)


def penalised(logits, seen, penalty):
    """CTRL's rule (Keskar et al. 2019, section 4.1); seen: bool like logits."""
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def seen_in(ids, vocab_size):
    """Bool (..., V): which tokens occur in ids (..., N)."""
    return (ids[..., None] == torch.arange(vocab_size)).any(dim=-2)


def pipeline(logits, seen, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, order=ORDER):
    """Probabilities (..., V) after the filters in this order."""
    for step in order:
        if step == "penalty":
            logits = penalised(logits, seen, penalty)
        elif step == "temperature":
            logits = logits / temperature
        elif step == "top-k" and top_k is not None:
            logits = keep_largest(logits, top_k)
        elif step == "top-p" and top_p is not None:
            logits = keep_nucleus(logits, top_p)
    return logits.softmax(dim=-1)
