"""AdamW with a cosine schedule and clipped gradients; mean_loss in one batch of all full windows, padded and masked."""

import math

import torch
import torch.nn.functional as F

from model.bigram import BigramLanguageModel
from train.data import get_batch


def train_bigram(train_ids, vocab_size, *, steps=3000, batch_size=32, block_size=8, learning_rate=1e-2, seed=1337):
    g = torch.random.manual_seed(seed)  # the global generator itself
    model = BigramLanguageModel(vocab_size).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.1)

    def shape(step):
        return min(1.0, (step + 1) / 10) * (0.1 + 0.45 * (1 + math.cos(math.pi * step / max(1, steps))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, shape)
    for _ in range(steps):
        x, y = get_batch(train_ids, batch_size, block_size, generator=g)
        optimizer.zero_grad()
        model(x, targets=y)[1].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def mean_loss(model, ids, block_size=8):
    x, y = ids[:-1], ids[1:]
    missing = -len(x) % block_size
    counts = F.pad(torch.ones(len(x)), (0, missing)).view(-1, block_size)
    logits, _ = model(F.pad(x, (0, missing)).view(-1, block_size))
    losses = F.cross_entropy(logits.transpose(1, 2), F.pad(y, (0, missing)).view(-1, block_size), reduction="none")
    return (losses * counts).sum().div(counts.sum()).item()
