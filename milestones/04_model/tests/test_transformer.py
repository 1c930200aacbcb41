"""Public tests of milestone 4: small models, closed forms, and one batch learned by heart."""

import math

import pytest
import torch

from model.transformer import GPT, GPTConfig

SMALL = GPTConfig(block_size=9, vocab_size=13, n_layer=2, n_head=3, n_embd=15, dropout=0.0)


def tokens(*shape, vocab_size=13, seed=1):
    return torch.randint(0, vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def stirred(model):
    """The model in float64 with noise on every weight: some initialisations start with silent branches."""
    model = model.double().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model


def test_logits_and_loss_have_the_right_shapes():
    idx = tokens(2, 6)
    logits, loss = GPT(SMALL)(idx)
    assert logits.shape == (2, 6, 13), f"logits should be (B, T, V) = (2, 6, 13), got {tuple(logits.shape)}"
    assert loss is None, "without targets there is no loss"
    logits, loss = GPT(SMALL)(idx, tokens(2, 6, seed=2))
    assert logits.shape == (2, 6, 13), f"with targets too, logits are (2, 6, 13), got {tuple(logits.shape)}"
    assert loss.shape == (), f"the loss is one number, got the shape {tuple(loss.shape)}"


def test_first_loss_is_about_ln_v():
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=32, vocab_size=65, n_layer=2, n_head=4, n_embd=64, dropout=0.0))
    _, loss = model(tokens(8, 32, vocab_size=65), tokens(8, 32, vocab_size=65, seed=2))
    assert loss.item() == pytest.approx(math.log(65), rel=0.1), (
        f"a new model knows nothing, so its loss is about ln 65 = 4.17; yours is {loss.item():.2f}"
    )


def test_loss_is_the_mean_over_targets_that_are_not_minus_one():
    model = GPT(SMALL).eval()
    idx, targets = tokens(2, 6), tokens(2, 6, seed=2)
    targets[0, 2:5] = -1
    logits, loss = model(idx, targets)
    log_probabilities = torch.log_softmax(logits, dim=-1)
    wanted = [-log_probabilities[b, t, targets[b, t]] for b in range(2) for t in range(6) if targets[b, t] != -1]
    assert loss.item() == pytest.approx(sum(wanted).item() / 9, abs=1e-5), (
        "the mean is over 9 targets here, not over 12"
    )


def test_head_and_embedding_are_one_parameter():
    with_side_of_length_v = [p for p in GPT(SMALL).parameters() if 13 in p.shape]
    assert len(with_side_of_length_v) == 1, (
        f"{len(with_side_of_length_v)} Parameters have a side of length vocab_size; embedding and head should be one"
    )


def test_parameters_are_counted_once():
    model = GPT(SMALL)
    assert model.num_parameters() == sum(p.numel() for p in model.parameters())
    one_more_token = GPT(GPTConfig(block_size=9, vocab_size=14, n_layer=2, n_head=3, n_embd=15, dropout=0.0))
    assert one_more_token.num_parameters() - model.num_parameters() == 15, "one more token needs C = 15 more numbers"


def test_order_matters():
    one_layer = GPTConfig(block_size=9, vocab_size=13, n_layer=1, n_head=3, n_embd=15, dropout=0.0)
    model = stirred(GPT(one_layer))
    first, _ = model(torch.tensor([[3, 5, 7, 1]]))
    second, _ = model(torch.tensor([[5, 3, 7, 1]]))
    assert (first[:, -1] - second[:, -1]).abs().max() > 1e-9, (
        "swapping the first two tokens changes nothing at the last position: are positions added?"
    )


def test_no_logit_sees_a_later_token():
    model = stirred(GPT(SMALL))
    idx = tokens(2, 6)
    changed = idx.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 13
    difference = (model(idx)[0] - model(changed)[0]).abs().amax(dim=(0, 2))
    assert (difference[:4] < 1e-9).all(), f"tokens 4 and 5 were changed, yet the logits moved by {difference.tolist()}"


def test_too_long_is_refused():
    model = GPT(SMALL)
    model(tokens(1, 9))
    with pytest.raises(ValueError):
        model(tokens(1, 10))


def test_two_configurations_live_side_by_side():
    small = GPT(SMALL).eval()
    before, _ = small(tokens(2, 6))
    large = GPT(GPTConfig(block_size=20, vocab_size=17, n_layer=1, n_head=2, n_embd=8, dropout=0.0)).eval()
    assert large(tokens(1, 20, vocab_size=17))[0].shape == (1, 20, 17)
    assert torch.equal(before, small(tokens(2, 6))[0])


def test_one_batch_can_be_learned_by_heart():
    torch.manual_seed(0)
    model = GPT(SMALL)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    idx = torch.stack([torch.randperm(13) for _ in range(9)], dim=1)[:4]
    targets = tokens(4, 9, seed=2)
    for _ in range(80):
        _, loss = model(idx, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1, f"after 80 steps on one batch the loss is {loss.item():.2f}, and should be near 0"
