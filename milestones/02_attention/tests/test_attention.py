"""Public tests of rung 2: closed forms that you can check by hand. The graders ask more."""

import math

import pytest
import torch

from model.attention import Head, MultiHeadAttention, attention, causal_average, causal_mask


def close(actual, expected):
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=1e-6)


# Steps 1, 3, 5 and 8 of the handout.
VALUES = torch.tensor([[2.0, 0], [0, 4], [6, 2]])
QUERIES = torch.tensor([[1.0, 0, 1, 0], [0, 2, 1, 0], [2, 0, 0, 2]])
KEYS = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [2, 0, 0, 1]])


def test_causal_average_of_the_handout():
    out = causal_average(VALUES[None])
    assert out.shape == (1, 3, 2), f"(B, T, C) comes back as (B, T, C); got {tuple(out.shape)}"
    assert close(out, [[[2, 0], [1, 2], [8 / 3, 2]]]), f"position t is the mean of positions 0 to t; got {out}"


def test_causal_mask_shows_oneself_and_the_past():
    mask = causal_mask(3)
    assert mask.dtype == torch.bool, f"the mask is boolean, True = may attend; got {mask.dtype}"
    expected = [[True, False, False], [True, True, False], [True, True, True]]
    assert mask.tolist() == expected, "row t is True up to column t, itself included"


def test_equal_keys_give_the_plain_average():
    _, weights = attention(torch.ones(3, 4), torch.ones(5, 4), torch.arange(10.0).view(5, 2))
    assert weights.shape == (3, 5), f"a row for each query, a column for each key; got {tuple(weights.shape)}"
    assert close(weights, torch.full((3, 5), 0.2)), "equal scores share equally among the 5 keys"


def test_attention_of_the_handout():
    out, weights = attention(QUERIES, KEYS, VALUES, causal_mask(3))
    assert close(weights.sum(dim=-1), torch.ones(3)), "every row of the weights adds up to 1"
    assert (weights.triu(1) == 0).all(), "the future gets no weight"
    expected = [[2, 0], [0.755081, 2.489837], [5.291159, 1.855630]]
    assert close(out, expected), f"step 8 of the handout; got {out}"


def test_scale_is_one_over_the_root_of_the_head_size():
    D = 16
    q, k = torch.ones(1, D), torch.stack([torch.ones(D), torch.zeros(D)])
    _, weights = attention(q, k, torch.zeros(2, 3))
    ratio = (weights[0, 0] / weights[0, 1]).log()  # the two scaled scores differ by D * scale
    assert close(ratio, math.sqrt(D)), f"the scores are scaled by {ratio / D:.4f}, not by 1/sqrt({D}) = 0.25"


def test_attention_takes_any_leading_dimensions():
    for lead in [(), (2,), (2, 3)]:
        out, weights = attention(torch.randn(*lead, 4, 6), torch.randn(*lead, 5, 6), torch.randn(*lead, 5, 7))
        assert out.shape == (*lead, 4, 7), f"leading dimensions {lead}: out is {tuple(out.shape)}"
        assert weights.shape == (*lead, 4, 5), f"leading dimensions {lead}: weights are {tuple(weights.shape)}"


@pytest.mark.parametrize("T", [1, 4, 8])
def test_head_works_for_every_length(T):
    out = Head(n_embd=10, head_size=3, block_size=8)(torch.randn(2, T, 10))
    assert out.shape == (2, T, 3), f"(2, {T}, 10) -> (2, {T}, 3); got {tuple(out.shape)}"


@pytest.mark.parametrize("make", [lambda: Head(12, 5, 8), lambda: MultiHeadAttention(12, 3, 8)])
def test_the_future_does_not_leak(make):
    module = make().eval()
    x = torch.randn(2, 6, 12)
    before = module(x)
    for t in range(5):
        changed = x.clone()
        changed[:, t + 1 :] = torch.randn(2, 5 - t, 12)
        after = module(changed)
        assert torch.allclose(before[:, : t + 1], after[:, : t + 1], atol=1e-6), (
            f"new values after position {t} changed an output at or before it"
        )


def test_every_head_sees_the_whole_past():
    C, H, T = 12, 3, 6
    module = MultiHeadAttention(C, H, 8).eval()
    x = torch.randn(1, T, C)
    before = module(x)
    for s in range(T):
        changed = x.clone()
        changed[:, s] += 1
        moved = (module(changed) - before).abs().amax(dim=(0, 2))
        assert (moved[s:] > 1e-6).all(), f"position {s} should move the outputs at positions {s} to {T - 1}"


def test_multi_head_is_its_heads_side_by_side():
    C, H, T = 6, 2, 4
    D = C // H
    torch.manual_seed(0)
    matrices = {name: torch.randn(C, C) for name in "qkv"}
    module = MultiHeadAttention(C, H, 8).eval()
    module.load_weights(
        {
            "c_attn.weight": torch.cat(list(matrices.values()), dim=1),
            "c_attn.bias": torch.zeros(3 * C),
            "c_proj.weight": torch.eye(C),
            "c_proj.bias": torch.zeros(C),
        }
    )
    x = torch.randn(1, T, C)
    out = module(x)
    for h in range(H):
        head = Head(C, D, 8).eval()
        head.load_weights({name: matrix[:, h * D : (h + 1) * D] for name, matrix in matrices.items()})
        assert torch.allclose(out[..., h * D : (h + 1) * D], head(x), atol=1e-5), (
            f"channels {h * D} to {(h + 1) * D - 1} should be what a single Head with slice {h} of the weights gives"
        )


def test_attention_weights_have_one_table_per_head():
    weights = MultiHeadAttention(12, 3, 8).eval().attention_weights(torch.randn(2, 5, 12))
    assert weights.shape == (2, 3, 5, 5), f"(B, H, T, T); got {tuple(weights.shape)}"
    assert close(weights.sum(dim=-1), torch.ones(2, 3, 5)), "every row adds up to 1"


def test_sizes_that_do_not_fit_raise_value_error():
    with pytest.raises(ValueError):  # 10 channels for 4 heads
        MultiHeadAttention(10, 4, 8)(torch.randn(1, 2, 10))
    with pytest.raises(ValueError):  # 9 positions, block_size 8
        MultiHeadAttention(12, 3, 8)(torch.randn(1, 9, 12))


@pytest.mark.parametrize("make", [lambda: Head(12, 5, 8, 0.5), lambda: MultiHeadAttention(12, 3, 8, 0.5)])
def test_dropout_follows_the_mode(make):
    module, x = make(), torch.randn(4, 6, 12)
    assert not torch.equal(module(x), module(x)), "in training mode two calls differ"
    module.eval()
    assert torch.equal(module(x), module(x)), "in eval mode there is no dropout"


def test_every_weight_is_registered_and_gets_a_gradient():
    module = MultiHeadAttention(12, 3, 8)
    matrices = [p for p in module.parameters() if p.numel() > 12]
    assert sum(p.numel() for p in matrices) >= 4 * 12 * 12, "q, k, v and c_proj hold 4 * C * C numbers"
    module(torch.randn(2, 5, 12)).pow(2).sum().backward()
    for p in matrices:
        assert p.grad is not None, f"no gradient reaches a parameter of shape {tuple(p.shape)}"
        assert p.grad.abs().sum() > 0, f"the gradient of a parameter of shape {tuple(p.shape)} is zero"
