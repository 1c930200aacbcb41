"""What well-known slips give instead of the right loss, samples, or mean loss: words for a diagnosis."""

import math

import torch
import torch.nn.functional as F

from milestones.hidden.chi_square import chi_square_strain

TEMPERATURES = 0.5, 0.7, 0.8, 0.9, 1.25, 1.5, 2.0  # the usual ones; which of them makes no difference to the cause


def wrong_losses(logits, targets):
    """Losses of logits (B, T, V), float64, and targets (B, T) that are not the mean cross-entropy."""
    size = logits.shape[-1]
    flat, right = logits.flatten(0, 1), targets.flatten()
    mean = F.cross_entropy(flat, right)
    return {
        "probabilities taken for logits": F.cross_entropy(flat.softmax(-1), right),
        "minus the mean probability": F.nll_loss(flat.softmax(-1), right),
        "transposed targets": F.cross_entropy(flat, targets.T.flatten()),
        "transposed logits": F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), right),
        "sum": mean * targets.numel(),
        "sum over time": mean * targets.shape[1],
        "last position": F.cross_entropy(logits[:, -1], targets[:, -1]),
        "bits": mean / math.log(2),
        "negative": -mean,
        "perplexity": mean.exp(),
        "targets shifted once more": F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten()),
        "id 0 ignored": F.cross_entropy(flat, right, ignore_index=0),
        "smoothed targets": F.cross_entropy(flat, right, label_smoothing=0.1),
        "classes reshaped to the middle": F.cross_entropy(logits.reshape(len(logits), size, -1), targets),
    }


def sampled_like(out, table, new):
    """What the last `new` tokens of out (rows, T + new) look like, given logits (V, V); None if nothing fits."""
    before, after = out[:, -new - 1 : -1], out[:, -new:]
    follow = pair_counts(before, after, len(table))
    found = next((name for name, shares in samplings(table) if strain(follow, shares) <= 1), None)
    if found is not None:
        return found
    if torch.equal(after, after[:1].expand_as(after)):
        return "the same tokens in each row"
    for name, column in (("first", out[:, :1]), ("last", before[:, :1])):
        if strain(pair_counts(column.expand_as(after), after, len(table)), table.softmax(-1)) <= 1:
            return f"samples that follow the prompt's {name} token"
    return None


def samplings(table):
    """(what samples look like, probabilities (V, V) of the next token): the right way first, then the wrong ones."""
    shifted = table - table.amin(-1, keepdim=True)
    return [
        ("samples from softmax(logits)", table.softmax(-1)),
        ("argmax, not samples", F.one_hot(table.argmax(-1), len(table)).double()),
        ("samples from a uniform distribution", torch.full_like(table, 1 / len(table))),
        ("samples from a softmax over another dimension", shares_of(table.softmax(0))),
        ("samples from the absolute logits", shares_of(table.abs())),
        ("samples from a softmax of a softmax", table.softmax(-1).softmax(-1)),
        ("samples from a sigmoid of the logits", shares_of(table.sigmoid())),
        ("samples from logits pushed above zero", shares_of(shifted)),
        ("samples from the positive logits", shares_of(table.clamp_min(0))),
        ("samples from softmax(-logits)", (-table).softmax(-1)),
        *(("samples at another temperature", (table / temperature).softmax(-1)) for temperature in TEMPERATURES),
    ]


def shares_of(weights):
    """Each row of weights (V, V) divided by its sum; a row of zeros stays one."""
    return weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)


def pair_counts(before, after, size):
    """How often each token followed each other one: (V, V)."""
    return torch.bincount((before * size + after).flatten(), minlength=size * size).reshape(size, size)


def strain(counts, shares):
    """How far counts (V, V) of pairs are from shares (V, V) of the second, given the first; above 1 is too far."""
    expected = counts.sum(-1, keepdim=True) * shares
    return chi_square_strain(counts.flatten(), expected.flatten() / counts.sum())


def wrong_means(losses, block_size):
    """What comes of losing or repeating some of the losses (N - 1,), of weighing them wrongly, or of another unit."""
    mean, blocks = losses.mean(), losses.split(block_size)
    whole = losses[: len(losses) // block_size * block_size]  # without a shorter last block
    overlapping = [losses[i : i + block_size] for i in range(len(losses))]
    apart = [losses[i : i + block_size] for i in range(0, len(losses), block_size + 1)]
    return {
        "mean of block means": torch.stack([block.mean() for block in blocks]).mean(),
        "sum": losses.sum(),
        "bits": mean / math.log(2),
        "perplexity": mean.exp(),
        "divided by N": losses.sum() / (len(losses) + 1),
        "first block only": blocks[0].mean(),
        "last of each block": torch.stack([block[-1] for block in blocks]).mean(),
        "last block dropped": whole.mean(),
        "last block dropped, divided by all": whole.sum() / len(losses),
        "overlapping blocks": torch.cat(overlapping).mean(),
        "overlapping blocks, divided by N - 1": torch.cat(overlapping).sum() / len(losses),
        "one pair lost between blocks": torch.cat(apart).mean(),
    }
