"""Public tests of rung 7: closed forms and a model that you can follow by hand. The graders ask more."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from model.transformer import GPT, GPTConfig
from sample.beam import beam_search
from sample.filters import apply_temperature, repetition_penalty, top_k, top_p
from sample.generate import generate, stream

# The five tokens of the handout.
LOGITS = torch.tensor([2.0, 1.5, 0.5, -0.5, -1.0])


class Counter(nn.Module):
    """After token x comes x + 1, with logits that leave no choice. Remembers what it was shown."""

    def __init__(self, vocab_size=7, block_size=4):
        super().__init__()
        self.config = SimpleNamespace(block_size=block_size, vocab_size=vocab_size)
        self.seen = []

    def forward(self, idx, targets=None):
        assert idx.shape[1] <= self.config.block_size, f"{idx.shape[1]} ids are more than block_size"
        self.seen.append((idx.tolist(), self.training, torch.is_grad_enabled()))
        return 40.0 * nn.functional.one_hot((idx + 1) % self.config.vocab_size, self.config.vocab_size), None


class Dice(nn.Module):
    """The same logits whatever the context."""

    def __init__(self, logits, block_size=8):
        super().__init__()
        self.config = SimpleNamespace(block_size=block_size, vocab_size=len(logits))
        self.logits = logits

    def forward(self, idx, targets=None):
        return self.logits.expand(*idx.shape, -1), None


def close(logits, expected):
    return torch.allclose(logits.softmax(-1), torch.tensor(expected), atol=6e-4)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(0.5, [0.701, 0.258, 0.035, 0.005, 0.002]), (2.0, [0.362, 0.282, 0.171, 0.104, 0.081]), (0, [1.0, 0, 0, 0, 0])],
)
def test_temperature_of_the_handout(temperature, expected):
    found = apply_temperature(LOGITS, temperature)
    assert close(found, expected), f"softmax at temperature {temperature} is {found.softmax(-1)}"


def test_top_k_keeps_two():
    order = torch.tensor([3, 0, 4, 1, 2])
    found = top_k(LOGITS[order], 2)
    assert close(found, [0.0, 0.622, 0.0, 0.378, 0.0]), f"the ids keep their places; softmax is {found.softmax(-1)}"
    assert torch.equal(top_k(LOGITS, None), LOGITS), "None keeps all"
    assert torch.equal(top_k(LOGITS, 9), LOGITS), "k >= V keeps all"


def test_top_p_keeps_the_token_that_crosses_p():
    order = torch.tensor([3, 0, 4, 1, 2])
    kept = top_p(LOGITS[order], 0.9) > -math.inf
    assert kept.tolist() == [False, True, False, True, True], (
        "sat, ran and purred hold 0.933; without purred it is 0.819"
    )
    assert (top_p(LOGITS, 0.0) > -math.inf).sum() == 1, "one token always stays"


def test_repetition_penalty_lowers_positive_and_negative_logits():
    found = repetition_penalty(LOGITS, torch.tensor([0, 3, 3, 0]), 2.0)
    assert found.tolist() == [1.0, 1.5, 0.5, -1.0, -1.0], f"each seen token once, away from more likely; got {found}"


def test_filters_leave_their_input_alone():
    logits = LOGITS.clone()
    apply_temperature(logits, 0.5)
    top_k(logits, 1)
    top_p(logits, 0.5)
    repetition_penalty(logits, torch.tensor([0]), 3.0)
    assert torch.equal(logits, LOGITS), "a filter wrote into the logits that it was given"


def test_generate_shows_the_last_block_size_ids_and_returns_all():
    model = Counter()
    out = generate(model, torch.tensor([[1, 2, 3], [4, 5, 6]]), 4)
    assert out.tolist() == [[1, 2, 3, 4, 5, 6, 0], [4, 5, 6, 0, 1, 2, 3]], f"prompt and new ids, (B, T + n); got {out}"
    assert model.seen[-1][0] == [[3, 4, 5, 6], [6, 0, 1, 2]], f"the last context was {model.seen[-1][0]}"


def test_generate_follows_the_distribution():
    rows = 4000
    out = generate(Dice(LOGITS), torch.zeros(rows, 1, dtype=torch.int64), 1, generator=torch.Generator().manual_seed(1))
    shares = torch.bincount(out[:, 1], minlength=5) / rows
    expected = LOGITS.softmax(-1)
    assert (shares - expected).abs().max() < 0.05, f"drew {shares.tolist()}, should be near {expected.tolist()}"


def test_a_finished_row_repeats_its_stop_token():
    out = generate(Counter(), torch.tensor([[1], [3]]), 5, stop_tokens=[4, 0])
    assert out.tolist() == [[1, 2, 3, 4, 4, 4], [3, 4, 4, 4, 4, 4]], f"each row for itself; got {out}"


def test_a_generator_makes_the_ids_repeat():
    prompt = torch.zeros(3, 1, dtype=torch.int64)
    one, two = (generate(Dice(LOGITS), prompt, 9, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two), "equal seeds, equal ids"


def test_the_model_is_in_eval_mode_meanwhile():
    model = Counter()
    generate(model, torch.tensor([[1]]), 2)
    assert not any(training for _, training, _ in model.seen), "dropout would be at work"
    assert not any(gradients for _, _, gradients in model.seen), "gradients would be kept"
    assert model.training, "the model was in training mode before"
    assert torch.is_grad_enabled(), "gradients are still off"


def test_stream_yields_one_by_one():
    model = Counter()
    ids = stream(model, torch.tensor([[2]]), 9, stop_tokens=[6])
    assert next(ids) == 3, "the first new id"
    assert len(model.seen) == 1, "the first id should be there before the second is computed"
    assert list(ids) == [4, 5, 6], "the stop token is the last"


def test_beam_search_finds_what_greedy_misses():
    # The handout's table: a, b, c after the start; greedy goes to a.
    steps = torch.tensor([[0.3, 0.4, 0.3], [0.05, 0.05, 0.9], [0.5, 0.3, 0.2], [0.5, 0.4, 0.1]])

    class Table(nn.Module):
        config = SimpleNamespace(block_size=4, vocab_size=3)

        def forward(self, idx, targets=None):
            first = torch.full_like(idx[:, :1], 3)
            return steps[torch.cat([first, idx[:, 1:]], dim=1)].log(), None

    start = torch.tensor([[0]])
    (greedy, _), *_ = beam_search(Table(), start, 2, 1)
    assert greedy.tolist() == [0, 0, 1], f"width 1 is greedy: the start, a, b; got {greedy.tolist()}"
    (best, score), *_ = beam_search(Table(), start, 2, 2)
    assert best.tolist() == [0, 1, 2], f"width 2 finds b, c; got {best.tolist()}"
    assert score == pytest.approx(math.log(0.36), abs=1e-5), f"log(0.4 * 0.9); got {score}"


def test_cached_logits_equal_the_full_pass():
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=9, vocab_size=13, n_layer=2, n_head=3, n_embd=15, dropout=0.0)).double().eval()
    idx = torch.randint(0, 13, (2, 9))
    with torch.no_grad():
        full, _ = model(idx)
        cache, parts = model.new_cache(2), []
        for chunk in idx.split([1, 3, 5], dim=1):
            parts.append(model(chunk, cache=cache)[0])
    wrong = ((torch.cat(parts, dim=1) - full).abs() > 1e-9).any(dim=-1).any(dim=0).nonzero().flatten().tolist()
    assert not wrong, f"positions with other logits when fed as 1, 3 and 5 ids: {wrong}"
