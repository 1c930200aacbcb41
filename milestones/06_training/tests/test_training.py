"""Public tests of milestone 6: closed forms, and a model so small that every run takes a moment."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from train.checkpoint import load_checkpoint, save_checkpoint
from train.loop import TrainConfig, estimate_loss, train, train_step
from train.optim import make_optimizer, parameter_groups
from train.schedule import learning_rate

V = 13
SCHEDULE = {"max_lr": 1e-3, "min_lr": 1e-4, "warmup_steps": 10, "max_steps": 110}


class Tiny(nn.Module):
    """A model with a shared matrix, a vector and dropout, called as a GPT is."""

    def __init__(self, dropout=0.0, seed=0):
        super().__init__()
        self.table = nn.Embedding(V, 6)
        self.head = nn.Linear(6, V, bias=False)
        self.head.weight = self.table.weight
        self.bias = nn.Parameter(torch.zeros(6))
        self.dropout = nn.Dropout(dropout)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.table.weight.copy_(torch.randn(V, 6, generator=generator))

    def forward(self, idx, targets=None):
        logits = self.head(self.dropout(torch.tanh(self.table(idx) + self.bias)))
        return logits, None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def tokens(*shape, seed=1):
    return torch.randint(0, V, shape, generator=torch.Generator().manual_seed(seed))


def batch(seed):
    window = tokens(4, 6, seed=seed)
    return window[:, :-1], window[:, 1:]


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.fixture
def config(tmp_path):
    return TrainConfig(
        steps=7, batch_size=4, block_size=5, max_lr=1e-2, min_lr=1e-3, warmup_steps=2, eval_interval=3, eval_batches=2,
        accumulation_steps=2, device="cpu", out_dir=str(tmp_path / "run"),
    )  # fmt: skip


def test_matrices_are_decayed_and_vectors_are_not():
    groups = parameter_groups(Tiny(), 0.1)
    decays = {p.ndim: group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {2: 0.1, 1: 0.0}, f"decay by number of dimensions: {decays}"
    listed = [p for group in groups for p in group["params"]]
    assert len(listed) == 2, f"the model has 2 parameters (the matrix is shared), and the groups list {len(listed)}"


def test_first_step_moves_by_the_learning_rate():
    model = Tiny()
    before = model.bias.detach().clone()
    optimizer = make_optimizer(model, learning_rate=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = model.bias.detach() - before
    assert torch.allclose(moved, torch.full((6,), -0.1)), f"the first step of AdamW moves a vector by lr: {moved}"


def test_schedule_has_peak_midpoint_and_floor():
    rates = [learning_rate(step, **SCHEDULE) for step in range(200)]
    assert rates[:11] == sorted(rates[:11]), "the warm-up rises"
    assert rates[10] == pytest.approx(1e-3), "the peak is at the end of the warm-up"
    assert rates[60] == pytest.approx((1e-3 + 1e-4) / 2), "step 60 is halfway from step 10 to step 110"
    assert rates[110:] == pytest.approx([1e-4] * 90), "from max_steps on, the rate is min_lr"


def test_micro_batches_add_up_to_the_big_batch():
    batches = [batch(seed) for seed in (1, 2, 3)]
    moved = []
    for micro_batches in (batches, [tuple(torch.cat(parts) for parts in zip(*batches, strict=True))]):
        model = Tiny()
        loss = train_step(model, torch.optim.SGD(model.parameters(), lr=0.5), micro_batches, grad_clip=None)
        assert isinstance(loss, float), f"train_step returns a float, not a {type(loss).__name__}"
        moved.append((weights(model), loss))
    assert moved[0][1] == pytest.approx(moved[1][1], abs=1e-5), "the loss is the mean over micro-batches"
    assert torch.allclose(moved[0][0], moved[1][0], atol=1e-6), (
        "3 micro-batches should move the weights as one batch of three times the size"
    )


def test_whole_gradient_is_clipped():
    model = Tiny()
    before = weights(model)
    train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), [batch(1)], grad_clip=0.01)
    length = (weights(model) - before).norm().item()
    assert length == pytest.approx(0.01, rel=1e-3), f"with SGD at lr 1 the step is as long as grad_clip, not {length}"


def test_old_gradients_do_not_count():
    results = []
    for planted in (None, 5.0):
        model = Tiny()
        for parameter in model.parameters():
            parameter.grad = None if planted is None else torch.full_like(parameter, planted)
        train_step(model, torch.optim.SGD(model.parameters(), lr=0.1), [batch(1)])
        results.append(weights(model))
    assert torch.equal(*results), "what was in .grad before the step changes it"


def test_measuring_leaves_no_trace():
    model, ids = Tiny(dropout=0.5), tokens(200)
    options = {"batch_size": 4, "block_size": 5, "batches": 3, "seed": 3}
    model.train()
    state = torch.get_rng_state()
    first, second = (estimate_loss(model, ids, **options) for _ in range(2))
    assert first == second, "two estimates with one seed differ: is dropout on?"
    assert model.training, "the model was in train mode before"
    assert torch.equal(state, torch.get_rng_state()), "measuring drew from torch's global generator"


def test_rows_and_file_agree(config):
    rows = train(Tiny(), tokens(300), tokens(200, seed=2), config)
    assert [row["step"] for row in rows] == [3, 6, 7]
    assert [row["tokens"] for row in rows] == [120, 240, 280]
    assert rows[0]["lr"] == learning_rate(2, max_lr=1e-2, min_lr=1e-3, warmup_steps=2, max_steps=7)
    with open(f"{config.out_dir}/metrics.jsonl") as file:
        assert [json.loads(line) for line in file] == rows


def test_measuring_more_often_does_not_change_the_run(config):
    results = []
    for interval in (1, 100):
        model = Tiny(dropout=0.3)
        train(model, tokens(300), tokens(200, seed=2), replace(config, eval_interval=interval))
        results.append(weights(model))
    assert torch.equal(*results), "weights after measuring 7 times and after measuring once differ"


def test_nan_stops_the_run(config):
    model = Tiny()
    with torch.no_grad():
        model.bias.fill_(math.nan)
    with pytest.raises((ArithmeticError, RuntimeError, ValueError), match=r"(?i)learning.?rate|lr"):
        train(model, tokens(300), tokens(200, seed=2), config)


def test_checkpoint_gives_back_what_was_saved(tmp_path, config):
    model = Tiny()
    optimizer = make_optimizer(model, learning_rate=0.1)
    path = tmp_path / "folder" / "checkpoint.pt"
    rng = {"torch": torch.get_rng_state()}
    save_checkpoint(
        path, model=model, optimizer=optimizer, step=5, config=config, tokenizer_hash="ab12", rng=rng
    )  # fmt: skip
    found = load_checkpoint(path)
    assert (found["step"], found["tokenizer_hash"], found["config"]["block_size"]) == (5, "ab12", 5)
    assert torch.equal(found["rng"]["torch"], rng["torch"])
    other = Tiny(seed=9)
    other.load_state_dict(found["model"])
    assert torch.equal(weights(other), weights(model))


def test_resumed_run_equals_the_run_without_a_break(config):
    ids, val_ids = tokens(300), tokens(200, seed=2)
    whole = Tiny(dropout=0.3)
    train(whole, ids, val_ids, config)

    class PowerCut(BaseException):
        pass

    broken = Tiny(dropout=0.3)
    calls = []

    def cut(module, arguments):
        calls.append(module.training)
        if calls.count(True) > 8:  # the first micro-batch of update 4
            raise PowerCut

    broken.register_forward_pre_hook(cut)
    with pytest.raises(PowerCut):
        train(broken, ids, val_ids, config)
    resumed = Tiny(dropout=0.3, seed=9)
    rows = train(resumed, ids, val_ids, config, resume_from=f"{config.out_dir}/checkpoint.pt")
    assert [row["step"] for row in rows] == [3, 6, 7]
    assert torch.equal(weights(resumed), weights(whole)), "the resumed run ends with other weights"
