"""What the reference's training promises and no grader can wait for: kills at any moment, other processes, a GPT."""

import importlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from data.student_code import code_of
from tests.this_course import SOLUTIONS

SAVES_FOREVER = """
import itertools, sys, torch
from train.checkpoint import save_checkpoint
from train.loop import TrainConfig
torch.set_num_threads(1)
model = torch.nn.Linear(600, 600)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in itertools.count(1):
    torch.nn.init.constant_(model.weight, step)
    rest = {"config": TrainConfig(), "tokenizer_hash": "", "rng": {}}
    save_checkpoint(sys.argv[1], model=model, optimizer=optimizer, step=step, **rest)
    print(step, flush=True)
"""

TRAINS = """
import hashlib, os, sys, torch
from model.transformer import GPT, GPTConfig
from train.loop import TrainConfig, train
torch.set_num_threads(1)
out_dir, cut, resume_from = sys.argv[1], int(sys.argv[2]), sys.argv[3] or None
torch.manual_seed(len(out_dir) if resume_from else 0)
model = GPT(GPTConfig(block_size=8, vocab_size=17, n_layer=2, n_head=2, n_embd=12, dropout=0.3))
passes = []
def die(module, arguments):
    passes.append(module.training)
    if passes.count(True) == cut:
        os._exit(9)
model.register_forward_pre_hook(die)
ids = torch.randint(0, 17, (500,), generator=torch.Generator().manual_seed(5))
config = TrainConfig(steps=9, batch_size=3, block_size=8, max_lr=1e-2, min_lr=1e-3, warmup_steps=2, eval_interval=4,
                     eval_batches=2, accumulation_steps=2, device="cpu", out_dir=out_dir)
train(model, ids[:400], ids[400:], config, resume_from=resume_from)
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


@pytest.fixture
def code():
    """Imports a module of the reference."""
    with code_of(SOLUTIONS):
        yield importlib.import_module


def test_a_process_killed_while_saving_leaves_a_whole_checkpoint(tmp_path, code):
    path = tmp_path / "checkpoint.pt"
    for moment in (0.0, 0.013, random.Random(6).uniform(0.02, 0.08)):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVES_FOREVER, str(path)], cwd=SOLUTIONS, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = code("train.checkpoint").load_checkpoint(path)
        assert found["model"]["weight"].unique().tolist() == [found["step"]]


def trained(out_dir, cut=0, resume_from=""):
    """The hash of the weights after a run in a process of its own; '' where that was cut off."""
    command = [sys.executable, "-c", TRAINS, str(out_dir), str(cut), str(resume_from)]
    run = subprocess.run(
        command, cwd=SOLUTIONS, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == (9 if cut else 0), run.stderr
    return run.stdout.strip()


def test_a_gpt_resumed_in_another_process_is_the_same_to_the_last_bit(tmp_path):
    whole = trained(tmp_path / "whole")
    assert trained(tmp_path / "broken", cut=13) == ""
    assert trained(tmp_path / "broken", resume_from=tmp_path / "broken" / "checkpoint.pt") == whole
    rows = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    assert [len(row) for row in rows] == [3, 3]


def test_accumulation_equals_the_big_batch_for_a_gpt(code):
    transformer, loop = code("model.transformer"), code("train.loop")
    torch.manual_seed(0)
    config = transformer.GPTConfig(block_size=8, vocab_size=17, n_layer=2, n_head=2, n_embd=12, dropout=0.0)
    first = transformer.GPT(config).double()
    second = transformer.GPT(config).double()
    second.load_state_dict(first.state_dict())
    batches = [tuple(torch.randint(0, 17, (2, 3, 8))) for _ in range(4)]
    whole = [tuple(torch.cat(parts) for parts in zip(*batches, strict=True))]
    losses = [
        loop.train_step(model, torch.optim.SGD(model.parameters(), lr=0.5), micro_batches, grad_clip=0.3)
        for model, micro_batches in ((first, batches), (second, whole))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)
    for ours, peers in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.allclose(ours, peers, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("cuda", "mps", "wanted"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_the_fastest_device_there_is(code, monkeypatch, cuda, mps, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    pick_device = code("train.loop").pick_device
    assert pick_device("auto").type == wanted
    assert pick_device("cpu").type == "cpu"


def test_progress_goes_to_stderr(code, tmp_path, capsys):
    loop, bigram = code("train.loop"), code("model.bigram")
    config = loop.TrainConfig(
        steps=4, batch_size=2, block_size=3, warmup_steps=1, eval_interval=2, eval_batches=1, device="cpu",
        out_dir=str(tmp_path),
    )  # fmt: skip
    loop.train(bigram.BigramLanguageModel(7), torch.arange(50) % 7, torch.arange(30) % 7, config)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split("]")[1].split()[0] for line in shown.err.splitlines()] == ["2/4", "4/4"]
