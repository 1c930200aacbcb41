"""Texts on which it is known how well a bigram model can do, as ids, and how well a table of logits does."""

import torch
import torch.nn.functional as F


def markov_ids(draw, size, n):
    """ids (n,) of a random Markov chain, and its transition table (V, V)."""
    transitions = (2.0 * draw.randn(size, size)).softmax(-1)
    cumulative = transitions.cumsum(-1)
    uniform = draw.rand(n).tolist()
    rows = cumulative.tolist()
    ids, current = [], 0
    for u in uniform:
        row = rows[current]
        current = next((i for i, c in enumerate(row) if u < c), size - 1)
        ids.append(current)
    return torch.tensor(ids), transitions


def telling_window(ids, block_size):
    """The first block_size + 1 ids that end in a pair of a token seen once, and not as they began.

    Training that leaves out the last target, or takes it from the beginning, never learns that pair.
    """
    for window in ids.unfold(0, block_size + 1, 1):
        if window[-1] != window[0] and int((window[:-1] == window[-2]).sum()) == 1:
            return window
    raise ValueError(f"these {len(ids)} ids hold no such window of {block_size}")


def three_parts(size, length):
    """ids (3 * length,): three texts in a row, each of which goes round and round in a third of the vocabulary."""
    third = size // 3
    return torch.cat([part * third + torch.arange(length) % third for part in range(3)])


def bigram_loss(table, ids):
    """Mean loss of logits (V, V) on ids (N,)."""
    return F.cross_entropy(table[ids[:-1]], ids[1:]).item()


def counted_loss(ids, size):
    """The mean loss of the table counted from ids, on the same ids: no bigram model is better there."""
    pairs = torch.bincount(ids[:-1] * size + ids[1:], minlength=size * size).reshape(size, size).double()
    shares = pairs / pairs.sum(-1, keepdim=True)
    return -torch.xlogy(pairs, shares).nansum().item() / (len(ids) - 1)
