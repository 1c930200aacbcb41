"""Trains and measures the bigram model: the first number that everything later has to beat.

The optimizer is AdamW (Loshchilov & Hutter 2019).
"""

import torch
from torch import nn

from model.bigram import BigramLanguageModel
from train.data import get_batch


def train_bigram(
    train_ids: torch.Tensor,
    vocab_size: int,
    *,
    steps: int = 3000,
    batch_size: int = 32,
    block_size: int = 8,
    learning_rate: float = 1e-2,
    seed: int = 1337,
) -> BigramLanguageModel:
    """Trains a BigramLanguageModel with AdamW on random batches. The same seed gives the same weights."""
    ### BEGIN SOLUTION
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = BigramLanguageModel(vocab_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        _, loss = model(*get_batch(train_ids, batch_size, block_size, generator))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model
    ### END SOLUTION


@torch.no_grad()
def mean_loss(model: nn.Module, ids: torch.Tensor, block_size: int = 8) -> float:
    """Mean cross-entropy in nats per token over ids (N,): each of the N - 1 predictable positions counts once."""
    ### BEGIN SOLUTION
    ids = torch.as_tensor(ids).to(torch.int64)
    total = 0.0
    for start in range(0, len(ids) - 1, block_size):
        x = ids[start : start + block_size + 1]  # (T + 1,), the last one often shorter
        _, loss = model(x[None, :-1], x[None, 1:])
        total += loss.item() * (len(x) - 1)
    return total / (len(ids) - 1)
    ### END SOLUTION
