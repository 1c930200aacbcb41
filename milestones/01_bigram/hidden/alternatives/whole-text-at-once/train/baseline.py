"""Adam instead of AdamW; mean_loss as one long row where the model allows any length."""

import torch

from model.bigram import BigramLanguageModel
from train.data import get_batch


def train_bigram(train_ids, vocab_size, *, steps=3000, batch_size=32, block_size=8, learning_rate=1e-2, seed=1337):
    torch.manual_seed(seed)
    model = BigramLanguageModel(vocab_size)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    model.train()
    for _ in range(1, steps + 1):
        x, y = get_batch(train_ids, batch_size, block_size)
        loss = model(x, y)[1]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    return model


def mean_loss(model, ids, block_size=8):
    with torch.no_grad():
        row = torch.as_tensor(ids).long().unsqueeze(0)
        return float(model(row[:, :-1], row[:, 1:])[1])
