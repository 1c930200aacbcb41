"""Trains one rung of the climb with the code in a folder: the child process of reports/climb.py.

The folder is laid out as a student's repository (model/, train/, tokenizer/); nothing of the harness is imported
here, so that the reference and a student's code run in the same way. The job comes as JSON on standard input;
progress and result leave as JSON lines on standard output; whatever the code itself prints goes to standard error.

The six assemblies are those of the lecture "Let's build GPT" (Karpathy 2023), built from the learner's own parts.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

N_EMBD, N_HEAD, N_LAYER, BLOCK_SIZE, BATCH_SIZE = 32, 4, 3, 8, 32
SEED = 1337
REPORT_EVERY = 100


class SideBySide(nn.Module):
    """Heads whose results are put next to each other: (B, T, C) -> (B, T, sum of the head sizes)."""

    def __init__(self, heads):
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, x):
        return torch.cat([head(x) for head in self.heads], dim=-1)


class Residual(nn.Module):
    """Attention and feed-forward network, each added to the stream; the block of rung 3 without its norms."""

    def __init__(self, attention, feed_forward):
        super().__init__()
        self.attention, self.feed_forward = attention, feed_forward

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.feed_forward(x)


class Assembly(nn.Module):
    """Embeddings, a body (B, T, C) -> (B, T, C), and a linear head: idx (B, T) -> (logits (B, T, V), loss or None)."""

    def __init__(self, vocab_size, body):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, N_EMBD)
        self.positions = nn.Embedding(BLOCK_SIZE, N_EMBD)
        self.body = body
        self.lm_head = nn.Linear(N_EMBD, vocab_size)

    def forward(self, idx, targets=None):
        x = self.tokens(idx) + self.positions(torch.arange(idx.shape[1]))
        logits = self.lm_head(self.body(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def heads(count):
    from model.attention import Head

    return SideBySide(Head(N_EMBD, N_EMBD // count, BLOCK_SIZE) for _ in range(count))


def body_of(rung):
    """The part between embeddings and head. The learner's modules are imported when their rung comes."""
    if rung == "one head":
        return heads(1)
    if rung == "four heads":
        return heads(N_HEAD)
    if rung == "feed-forward":
        # The lecture's first one is a single layer; rung 3's FeedForward, four times as wide, comes with the blocks.
        return nn.Sequential(heads(N_HEAD), nn.Linear(N_EMBD, N_EMBD), nn.ReLU())
    from model.block import Block, FeedForward, LayerNorm

    if rung == "residual blocks":
        from model.attention import MultiHeadAttention

        return nn.Sequential(
            *(Residual(MultiHeadAttention(N_EMBD, N_HEAD, BLOCK_SIZE), FeedForward(N_EMBD)) for _ in range(N_LAYER))
        )
    return nn.Sequential(*(Block(N_EMBD, N_HEAD, BLOCK_SIZE) for _ in range(N_LAYER)), LayerNorm(N_EMBD))


class Channel:
    """Where progress and result go: the real standard output, which the code under test no longer has."""

    def __init__(self):
        self.file = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **message):
        print(json.dumps(message), file=self.file, flush=True)


@torch.no_grad()
def estimate(model, ids, batch_size, block_size, tokens):
    """Mean loss in nats per token over random batches, as the lecture and nanoGPT estimate it."""
    from train.data import get_batch

    generator = torch.Generator().manual_seed(SEED)
    model.eval()
    batches = tokens // (batch_size * block_size)
    losses = [model(*get_batch(ids, batch_size, block_size, generator))[1].item() for _ in range(batches)]
    model.train()
    return sum(losses) / len(losses)


@torch.no_grad()
def write(model, block_size, start, count):
    """`count` ids after the id `start`, each drawn from the softmax of the last position."""
    generator = torch.Generator().manual_seed(SEED)
    ids = torch.tensor([[start]])
    model.eval()
    for _ in range(count):
        logits, _ = model(ids[:, -block_size:])
        ids = torch.cat([ids, torch.multinomial(logits[:, -1].softmax(dim=-1), 1, generator=generator)], dim=1)
    return ids[0, 1:].tolist()


def train_assembly(model, train_ids, steps, learning_rate, channel):
    """The lecture's loop: AdamW with its default settings, random batches, one learning rate."""
    from train.data import get_batch

    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    for step in range(steps):
        _, loss = model(*get_batch(train_ids, BATCH_SIZE, BLOCK_SIZE, generator))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % REPORT_EVERY == 0:
            channel.send(step=step + 1, loss=loss.item())


def lecture(job, dataset, channel):
    """One of the six: (model, batch_size, block_size)."""
    vocab_size = dataset.tokenizer.vocab_size
    torch.manual_seed(SEED)
    if job["rung"] == "bigram":
        from model.bigram import BigramLanguageModel

        model = BigramLanguageModel(vocab_size)
    else:
        model = Assembly(vocab_size, body_of(job["rung"]))
    train_assembly(model, dataset.train, job["steps"], job["learning_rate"], channel)
    return model, BATCH_SIZE, BLOCK_SIZE


def nano_gpt(job, dataset, channel):
    """The learner's GPT and training loop on nanoGPT's CPU configuration: (model, batch_size, block_size)."""
    from model.transformer import GPT, GPTConfig
    from train.loop import TrainConfig, train

    sizes = {"block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0}
    warmup = min(100, job["steps"] // 20)
    config = TrainConfig(
        steps=job["steps"],
        batch_size=12,
        block_size=64,
        max_lr=1e-3,
        min_lr=1e-4,
        warmup_steps=warmup,
        betas=(0.9, 0.99),
        weight_decay=0.1,
        grad_clip=1.0,
        accumulation_steps=1,
        eval_interval=max(1, job["steps"] // 10),
        eval_batches=20,
        seed=job["seed"],
        device="cpu",
        out_dir=job["out_dir"],
    )
    torch.manual_seed(job["seed"])
    model = GPT(GPTConfig(vocab_size=dataset.tokenizer.vocab_size, **sizes))
    finished = threading.Event()
    reporter = threading.Thread(target=follow, args=(Path(job["out_dir"]) / "metrics.jsonl", finished, channel))
    reporter.start()
    try:
        train(model, dataset.train, dataset.val, config)
    finally:
        finished.set()
        reporter.join()
    return model, 12, 64


def follow(metrics, finished, channel):
    """Sends on what the learner's loop writes into metrics.jsonl, for as long as it runs."""
    sent = 0
    while not finished.wait(0.5):
        for line in metrics.read_text().splitlines()[sent:] if metrics.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:  # a line that is being written; it is whole next time
                break
            channel.send(step=row["step"], loss=row["train_loss"])
            sent += 1


def main():
    channel = Channel()
    job = json.load(sys.stdin)
    sys.path.insert(0, job["code"])
    torch.set_num_threads(1)  # the models are small: two threads gain little, and on a busy machine they lose tenfold
    from train.data import TextDataset

    with open(job["corpus"], encoding="utf-8", newline="") as file:
        dataset = TextDataset.from_text(file.read())
    start = time.perf_counter()
    build = nano_gpt if job["rung"] == "nanoGPT" else lecture
    model, batch_size, block_size = build(job, dataset, channel)
    seconds = time.perf_counter() - start
    first = dataset.tokenizer.encode("\n")[0] if job["has_newline"] else 0
    channel.send(
        val_loss=estimate(model, dataset.val, batch_size, block_size, job["eval_tokens"]),
        train_loss=estimate(model, dataset.train, batch_size, block_size, job["eval_tokens"]),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seconds=seconds,
        sample=dataset.tokenizer.decode(write(model, block_size, first, job["sample_tokens"])),
    )


if __name__ == "__main__":
    main()
