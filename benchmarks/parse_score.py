"""How a tiny transformer compares with a bigram on the embedded corpus: loss, distance from the floor, parse score.

    python benchmarks/parse_score.py [--steps N]

Takes a few minutes on one CPU core. Uses the reference of rung 4. The bigram is counted: no trained
one does better.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "solutions")]

from data import embedded  # noqa: E402
from data.embedded import entropy, parser  # noqa: E402
from data.embedded.reader import realised  # noqa: E402
from model.transformer import GPT, GPTConfig  # noqa: E402

BLOCK_SIZE = 96
BATCH_SIZE = 16
PEAK_LR = 6e-3
WARMUP_STEPS = 50
SAMPLE_ROWS = 8
SAMPLE_LENGTH = 1000


def train(ids: torch.Tensor, vocab_size: int, steps: int) -> GPT:
    """ids (N,) int64 -> a trained model of 3 layers, 96 wide."""
    torch.manual_seed(1337)
    model = GPT(GPTConfig(block_size=BLOCK_SIZE, vocab_size=vocab_size, n_layer=3, n_head=4, n_embd=96, dropout=0.0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_LR, total_steps=steps, pct_start=min(0.3, WARMUP_STEPS / steps), cycle_momentum=False
    )
    offsets = torch.arange(BLOCK_SIZE + 1)
    for step in range(steps):
        starts = torch.randint(len(ids) - BLOCK_SIZE, (BATCH_SIZE,))
        window = ids[starts[:, None] + offsets]
        _, loss = model(window[:, :-1], window[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"\rstep {step + 1:5} of {steps}  train_loss {loss.item():.3f}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return model.eval()


@torch.no_grad()
def mean_loss(model: GPT, ids: torch.Tensor) -> float:
    """Nats per predicted character over the whole of ids; each character but the first is predicted exactly once."""
    total, count = 0.0, len(ids) - 1
    for start in range(0, count, BLOCK_SIZE):
        end = min(start + BLOCK_SIZE, count)
        _, loss = model(ids[None, start:end], ids[None, start + 1 : end + 1])
        total += loss.item() * (end - start)
    return total / count


@torch.no_grad()
def sample(model: GPT, prompt: torch.Tensor, length: int, generator: torch.Generator) -> torch.Tensor:
    """prompt (B, T) -> (B, T + length), at temperature 1: the model's own distribution, not flattered."""
    idx = prompt
    for _ in range(length):
        logits, _ = model(idx[:, -BLOCK_SIZE:])
        idx = torch.cat((idx, torch.multinomial(logits[:, -1].softmax(-1), 1, generator=generator)), dim=1)
    return idx


def count_bigrams(ids: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """(V, V) probabilities of the next character, counted with one added everywhere."""
    counts = torch.ones(vocab_size, vocab_size, dtype=torch.float64)
    counts.index_put_((ids[:-1], ids[1:]), torch.ones(len(ids) - 1, dtype=torch.float64), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True)


def main(steps: int) -> None:

    train_text, val_text = embedded.splits()
    characters = sorted(set(train_text))
    number = {character: i for i, character in enumerate(characters)}
    train_ids, val_ids = (torch.tensor([number[c] for c in text]) for text in (train_text, val_text))
    floor = realised(val_text).nats_per_character
    generator = torch.Generator().manual_seed(1337)
    prompt = torch.tensor([[number[c] for c in "Scene: "]]).expand(SAMPLE_ROWS, -1)

    table = count_bigrams(train_ids, len(characters))
    bigram_loss = -table[val_ids[:-1], val_ids[1:]].log().mean().item()
    idx = prompt
    for _ in range(SAMPLE_LENGTH):
        idx = torch.cat((idx, torch.multinomial(table[idx[:, -1]], 1, generator=generator)), dim=1)
    bigram_rows = idx

    begun = time.perf_counter()
    model = train(train_ids, len(characters), steps)
    seconds = time.perf_counter() - begun
    loss = mean_loss(model, val_ids)
    rows = sample(model, prompt, SAMPLE_LENGTH, generator)

    aspects = ("lines", "speakers", "rhyme", "brackets", "echoes")
    scores = []
    for name, val_loss, drawn in (("bigram", bigram_loss, bigram_rows), ("transformer", loss, rows)):
        # Rows are scored apart and counted together: a row's last, unfinished line is left out.
        parts = [parser.score("".join(characters[i] for i in row)) for row in drawn.tolist()]
        sums = [
            parser.Share(sum(getattr(p, a).good for p in parts), sum(getattr(p, a).total for p in parts))
            for a in aspects
        ]
        scores.append([name, f"{val_loss:.4f}", f"{val_loss - floor:+.4f}", *map(str, sums)])
    print(tabulate(scores, headers=["model", "val_loss", "above floor", *aspects], disable_numparse=True))
    print(f"\nfloor (realised, val) {floor:.4f}   entropy of the grammar {entropy.exact():.4f}   nats per character")
    print(f"{model.num_parameters()} parameters, {steps} steps in {seconds:.0f} s\n")
    print("".join(characters[i] for i in rows[0].tolist())[:600])
    if min(loss, bigram_loss) < floor:
        sys.exit("A loss is below the floor: validation text has leaked, or the loss is computed wrongly.")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=2500)
    torch.set_num_threads(1)
    main(arguments.parse_args().steps)
