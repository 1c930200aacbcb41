"""mean_loss in full windows first and the rest afterwards; initial weights from a forked random state."""

import torch

import model.bigram as bigram
from train import data


def train_bigram(train_ids, vocab_size, *, steps=3000, batch_size=32, block_size=8, learning_rate=1e-2, seed=1337):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = bigram.BigramLanguageModel(vocab_size)
    g = torch.Generator()
    g.manual_seed(seed + 1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=0.0)
    step = 0
    while step < steps:
        optimizer.zero_grad()
        _, loss = net(*data.get_batch(train_ids, batch_size, block_size, generator=g))
        loss.backward()
        optimizer.step()
        step += 1
    return net


@torch.no_grad()
def mean_loss(model, ids, block_size=8):
    pairs = len(ids) - 1
    full = pairs // block_size
    weighted = []
    if full:
        x = ids[: full * block_size].reshape(full, block_size)
        y = ids[1 : full * block_size + 1].reshape(full, block_size)
        weighted.append((model(x, y)[1].item(), full * block_size))
    if pairs > full * block_size:
        x, y = ids[full * block_size : -1], ids[full * block_size + 1 :]
        weighted.append((model(x.view(1, -1), y.view(1, -1))[1].item(), len(x)))
    return sum(loss * count for loss, count in weighted) / pairs
