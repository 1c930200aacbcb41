"""How well counting alone predicts a text: the losses that a first model is compared with."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CountedLosses:
    """Losses on the validation split in nats per character, counted on the train split with one added to each count.

    uniform: ln V, every character equally likely
    unigram, bigram, trigram: given none, one, two characters before; the first one or two of val are not predicted
    """

    vocab_size: int
    uniform: float
    unigram: float
    bigram: float
    trigram: float


def counted_losses(train: str, val: str) -> CountedLosses:
    """Counts `train`, predicts `val`. V is the vocabulary of both. Each must have three characters at least."""
    points = _code_points(train + val)
    vocabulary, ids = np.unique(points, return_inverse=True)
    ids = ids.astype(np.int64)
    train_ids, val_ids = ids[: len(train)], ids[len(train) :]
    size = len(vocabulary)
    unigram, bigram, trigram = (_loss(train_ids, val_ids, size, order) for order in (1, 2, 3))
    return CountedLosses(size, math.log(size), unigram, bigram, trigram)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _loss(train_ids: np.ndarray, val_ids: np.ndarray, vocab_size: int, order: int) -> float:
    """-mean ln((count(context, next) + 1) / (count(context) + V)), Laplace's rule, with order - 1 ids as context.

    A table of V**order counts would not fit for a large alphabet, so each n-gram is one integer and the counts are
    looked up in a sorted list. Unicode has fewer than 2**21 characters, so three of them fit into 63 bits.
    """
    train_grams, val_grams = (_grams(ids, vocab_size, order) for ids in (train_ids, val_ids))
    together = _count(train_grams, val_grams)
    contexts = _count(train_grams // vocab_size, val_grams // vocab_size)
    return float(-np.log((together + 1) / (contexts + vocab_size)).mean())


def _grams(ids: np.ndarray, vocab_size: int, order: int) -> np.ndarray:
    """ids (N,) -> (N - order + 1,): each run of `order` ids as one integer in base V."""
    length = len(ids) - order + 1
    grams = np.zeros(length, dtype=np.int64)
    for offset in range(order):
        grams = grams * vocab_size + ids[offset : offset + length]
    return grams


def _count(seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How often each of `wanted` occurs in `seen`."""
    keys, counts = np.unique(seen, return_counts=True)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, counts[place], 0)
