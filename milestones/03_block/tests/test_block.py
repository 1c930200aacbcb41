"""Public tests of milestone 3. Each closed form is small enough to check with a pencil."""

import math

import pytest
import torch

from model.block import Block, FeedForward, LayerNorm


def block_under(changes, n_embd=12, n_head=3, block_size=7):
    """A block under fixed weights, whose two branches end in matrices of zeros unless `changes` says otherwise."""
    C = n_embd
    generator = torch.Generator().manual_seed(7)
    tensors = {
        "ln_1.weight": torch.full((C,), 2.0), "ln_1.bias": torch.zeros(C),
        "attn.c_attn.weight": torch.randn(C, 3 * C, generator=generator), "attn.c_attn.bias": torch.zeros(3 * C),
        "attn.c_proj.weight": torch.zeros(C, C), "attn.c_proj.bias": torch.zeros(C),
        "ln_2.weight": torch.full((C,), 3.0), "ln_2.bias": torch.zeros(C),
        "mlp.c_fc.weight": torch.randn(C, 4 * C, generator=generator), "mlp.c_fc.bias": torch.zeros(4 * C),
        "mlp.c_proj.weight": torch.zeros(4 * C, C), "mlp.c_proj.bias": torch.zeros(C),
    }  # fmt: skip
    block = Block(C, n_head, block_size).double().eval()
    block.load_weights(tensors | changes)
    return block


def test_layer_norm_of_one_token():
    """1, 3, 5, 7 has mean 4 and (biased) variance 5."""
    out = LayerNorm(4).double()(torch.tensor([1.0, 3.0, 5.0, 7.0], dtype=torch.float64))
    expected = torch.tensor([-3.0, -1.0, 1.0, 3.0], dtype=torch.float64) / math.sqrt(5 + 1e-5)
    assert torch.allclose(out, expected, atol=1e-9), (
        f"got {out.tolist()}, expected {expected.tolist()}; 1.1619 at the end means that you divided by C - 1"
    )


def test_layer_norm_of_a_constant_token():
    """0 / 0 is avoided by eps: a constant token becomes the bias, 0."""
    out = LayerNorm(4)(torch.full((2, 3, 4), 5.0))
    assert torch.equal(out, torch.zeros(2, 3, 4)), f"a constant token must become zeros, got {out[0, 0].tolist()}"


def test_layer_norm_eps_is_under_the_root():
    a = math.sqrt(1e-5)
    out = LayerNorm(2).double()(torch.tensor([a, -a], dtype=torch.float64))
    assert out[0].item() == pytest.approx(math.sqrt(0.5), abs=1e-9), (
        f"variance 1e-5 and eps 1e-5 under the root give 0.7071, got {out[0].item():.4f}"
    )


def test_layer_norm_treats_tokens_alone():
    norm = LayerNorm(4)
    x = torch.arange(24.0).view(2, 3, 4) ** 1.5
    changed = x.clone()
    changed[0, 2] += torch.tensor([9.0, -4.0, 7.0, 1.0])
    same = torch.isclose(norm(x), norm(changed), atol=1e-6).all(dim=-1)
    assert same.tolist() == [[True, True, False], [True, True, True]], (
        "only token 2 of row 0 was changed, so only its result may change; is your mean taken over the last dimension?"
    )


def test_feed_forward_is_the_tanh_gelu():
    """One feature, hidden (u, -u, 0, 0), summed: gelu(u) + gelu(-u)."""
    module = FeedForward(1).double().eval()
    module.load_weights(
        {
            "c_fc.weight": torch.tensor([[1.0, -1.0, 0.0, 0.0]]), "c_fc.bias": torch.zeros(4),
            "c_proj.weight": torch.ones(4, 1), "c_proj.bias": torch.zeros(1),
        }
    )  # fmt: skip
    out = module(torch.tensor([[[1.0], [-1.0], [2.0]]], dtype=torch.float64)).flatten()
    expected = torch.tensor([0.682384, 0.682384, 1.909195], dtype=torch.float64)
    assert torch.allclose(out, expected, atol=2e-6), (
        f"got {out.tolist()}, expected {expected.tolist()}; zeros mean no bend, 0.682689 the error-function GELU"
    )


def test_block_with_silent_branches_returns_x():
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    out = block_under({})(x)
    assert torch.allclose(out, x, atol=1e-9), "x + 0 + 0 must be x: something else touches the stream (a norm?)"


def test_block_keeps_shape_and_dtype():
    for length in (1, 5, 7):
        x = torch.randn(2, length, 12)
        out = Block(12, 3, 7)(x)
        assert out.shape == x.shape, f"(2, {length}, 12) became {tuple(out.shape)}"
        assert out.dtype == torch.float32


def test_block_does_not_see_the_future():
    block = Block(12, 3, 7).double().eval()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    changed = x.clone()
    changed[:, 3:] += torch.randn(2, 2, 12, dtype=torch.float64)
    difference = (block(x) - block(changed)).abs().amax(dim=(0, 2))
    assert (difference[:3] < 1e-9).all(), f"tokens 3 and 4 were changed, yet the outputs moved by {difference.tolist()}"


def test_each_norm_belongs_to_its_own_branch():
    """With the feed-forward silent, the second norm can't matter."""
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    attention_only = {"attn.c_proj.weight": torch.eye(12)}
    before = block_under(attention_only)(x)
    after = block_under(attention_only | {"ln_2.weight": torch.full((12,), -5.0)})(x)
    assert torch.allclose(before, after, atol=1e-9), (
        "the feed-forward adds nothing here, yet changing ln_2 changes the result: do both branches share one norm?"
    )
