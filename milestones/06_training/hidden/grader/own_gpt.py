"""Judges train in train/loop.py on the submission's own GPT, with a language whose entropy is known."""

import math

import torch
import torch.nn.functional as F

from .whole_run import RUN, config_for, expect_rows, is_finite

SIZE, FOLLOWS = 11, 0.9  # tokens; how often the next token is the successor of the last one, and not a random one
LEARNED = 1.5  # nats: between ln 11 = 2.40, which is ignorance, and the entropy, 0.52
KNOWS = 2.0  # nats: the loss of the trained model as measured here, which is under 1 if it has learned
CHANCE = 0.35  # nats by which the loss on 300 tokens may be below the entropy


def draw_language(draw, n):
    """n tokens, each with probability FOLLOWS its predecessor plus 1, and else any."""
    follows = (draw.rand(n) < FOLLOWS).tolist()
    ids = draw.randint(0, SIZE, (n,)).tolist()
    for t in range(1, n):
        if follows[t]:
            ids[t] = (ids[t - 1] + 1) % SIZE
    return torch.tensor(ids)


def entropy():
    """Nats per token of that language."""
    other = (1 - FOLLOWS) / SIZE
    successor = FOLLOWS + other
    return -successor * math.log(successor) - (SIZE - 1) * other * math.log(other)


def test_train_own_gpt(student, draw, expect):
    """train() teaches the submission's own GPT a simple language, as well as that can be known and not better."""
    ids = draw_language(draw, 1500)
    student.instrument("global_random").seed(draw.integer(1, 1000))
    sizes = {"block_size": 8, "vocab_size": SIZE, "n_layer": 1, "n_head": 2, "n_embd": 16, "dropout": 0.0}
    model = student.model.transformer.GPT(student.keep(student.model.transformer.GPTConfig, **sizes))
    changes = {
        "steps": 60, "batch_size": 16, "block_size": 8, "max_lr": 2e-2, "min_lr": 2e-3, "warmup_steps": 5,
        "weight_decay": 0.1, "grad_clip": 1.0, "accumulation_steps": 1, "eval_interval": 20,
        "eval_batches": 10, "device": "auto",
    }  # fmt: skip
    rows = student.train.loop.train(model, ids[:1200], ids[1200:], config_for(student, "own/run", **changes))
    expect_rows(expect, rows, RUN | changes)
    value = rows[-1]["val_loss"]
    expect.need(
        "the last val_loss is a number", is_finite(value), rule="val_loss must be a number.", saw=f"It is {value}."
    )
    expect.true(
        "the model has learned the language",
        value <= LEARNED,
        rule="60 updates must teach a right GPT this language (make grade M=4 says whether yours is right).",
        saw=f"After 60 updates the validation loss is {value:.4g}; ln {SIZE} = {math.log(SIZE):.2f} is ignorance, and"
        f" {entropy():.2f} is all that can be known.",
    )
    expect_it_knows(expect, model, ids[1200:])
    expect.true(
        "the loss is not too good to be true",
        value >= entropy() - CHANCE,
        rule="No model can be better than the entropy of the source, chance aside.",
        saw=f"The validation loss is {value:.4g}; the entropy of the source is {entropy():.2f}.",
    )


def expect_it_knows(expect, model, ids):
    """A sign of life: the model itself predicts tokens of the language, whatever the rows say."""
    windows = ids.unfold(0, 9, 9)  # (N, 9), each 8 tokens and the one after
    model.eval()
    answer = model(windows[:, :-1].contiguous())
    logits = answer[0] if isinstance(answer, list) and answer else answer
    rule = "A GPT must return logits (B, T, V) first (make grade M=4 says whether yours does)."
    fits = isinstance(logits, torch.Tensor) and tuple(logits.shape) == (len(windows), 8, SIZE)
    expect.need("the trained model returns logits", fits, rule=rule)
    loss = F.cross_entropy(logits.double().flatten(0, 1), windows[:, 1:].flatten()).item()
    expect.true(
        "the model that was trained predicts the language",
        loss <= KNOWS,
        rule="train must change the model that it is given.",
        saw=f"Measured on new text the model's loss is {loss:.3f}; ln {SIZE} = {math.log(SIZE):.2f} is ignorance.",
    )
