"""A frozen list of checks of rung 2, as plain asserts on fixed inputs: the same text runs in all four settings.

`student.model.attention` is the submission's module, or what stands for it on the trusted side of the jail.
"""

import math

import torch


def randn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a, b):
    return isinstance(a, torch.Tensor) and a.shape == b.shape and bool(((a - b).abs() < 1e-9).all())


def exact_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


def lower(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def head_and_weights(student, C, D, block_size):
    given = {name: randn(i, C, D) / math.sqrt(C) for i, name in enumerate("qkv")}
    head = student.model.attention.Head(C, D, block_size)
    head.double()
    head.eval()
    head.load_weights(given)
    return head, given


def multi_head_and_weights(student, C, H, block_size):
    given = {"c_attn.weight": randn(1, C, 3 * C) / math.sqrt(C), "c_attn.bias": torch.zeros(3 * C).double()}
    given |= {"c_proj.weight": randn(2, C, C) / math.sqrt(C), "c_proj.bias": torch.zeros(C).double()}
    layer = student.model.attention.MultiHeadAttention(C, H, block_size)
    layer.double()
    layer.eval()
    layer.load_weights(given)
    return layer, given


def exact_multi_head(x, given, H):
    B, T, C = x.shape
    q, k, v = (x @ given["c_attn.weight"]).view(B, T, 3, H, C // H).permute(2, 0, 3, 1, 4)
    out, weights = exact_attention(q, k, v, lower(T))
    return out.transpose(1, 2).reshape(B, T, C) @ given["c_proj.weight"], weights


def assert_causal(module, x):
    before, T = module(x), x.shape[1]
    for t in range(T):
        changed = x.clone()
        changed[:, t] += 1
        moved = (module(changed) - before).abs().amax(dim=(0, 2)) > 1e-9
        assert moved.tolist() == [s >= t for s in range(T)]


def test_causal_average(student):
    for B, T, C in [(3, 7, 4), (2, 1, 5), (1, 5, 1)]:
        x = randn(T, B, T, C)
        expected = torch.stack([x[:, : t + 1].mean(dim=1) for t in range(T)], dim=1)
        assert close(student.model.attention.causal_average(x), expected)


def test_causal_mask(student):
    for T in (1, 2, 3, 8, 13):
        mask = student.model.attention.causal_mask(T)
        assert mask.dtype == torch.bool
        assert torch.equal(mask, lower(T))


def test_attention_values(student):
    for lead, T, S, D, Dv in [((), 3, 4, 5, 2), ((2,), 4, 6, 3, 5), ((2, 3), 5, 4, 7, 6), ((3, 1, 2), 4, 5, 6, 7)]:
        q, k, v = randn(1, *lead, T, D), randn(2, *lead, S, D), randn(3, *lead, S, Dv)
        out, weights = student.model.attention.attention(q, k, v)
        expected_out, expected = exact_attention(q, k, v)
        assert close(weights, expected)
        assert close(out, expected_out)


def test_attention_mask(student):
    for T, S, mask in [(5, 5, lower(5)), (4, 6, torch.ones(4, 6).bool()), (3, 7, lower(7)[-3:])]:
        q, k, v = randn(1, 2, T, 8), randn(2, 2, S, 8), randn(3, 2, S, 9)
        out, weights = student.model.attention.attention(q, k, v, mask)
        expected_out, expected = exact_attention(q, k, v, mask)
        assert close(weights, expected)
        assert close(out, expected_out)


def test_attention_large_scores(student):
    direction = randn(1, 5) / randn(1, 5).norm()
    q = direction.expand(6, 5) * math.sqrt(5)
    k = direction * torch.linspace(-50, 50, 6, dtype=torch.float64)[:, None]
    v = randn(2, 6, 3)
    out, _ = student.model.attention.attention(q, k, v, lower(6))
    assert close(out, exact_attention(q, k, v, lower(6))[0])


def test_head_values(student):
    for B, T, C, D, block_size in [(2, 5, 12, 4, 7), (3, 7, 10, 6, 7), (4, 1, 6, 3, 9)]:
        head, given = head_and_weights(student, C, D, block_size)
        x = randn(9, B, T, C)
        q, k, v = (x @ given[name] for name in "qkv")
        assert close(head(x), exact_attention(q, k, v, lower(T))[0])


def test_head_causal(student):
    head, _ = head_and_weights(student, 10, 4, 8)
    assert_causal(head, randn(9, 2, 6, 10))


def test_multi_head_values(student):
    for B, T, C, H, block_size in [(2, 5, 12, 3, 7), (3, 7, 10, 2, 7), (4, 1, 6, 2, 9), (2, 3, 5, 1, 4)]:
        layer, given = multi_head_and_weights(student, C, H, block_size)
        x = randn(9, B, T, C)
        assert close(layer(x), exact_multi_head(x, given, H)[0])


def test_multi_head_causal(student):
    layer, _ = multi_head_and_weights(student, 12, 3, 8)
    assert_causal(layer, randn(9, 2, 6, 12))


def test_attention_weights(student):
    layer, given = multi_head_and_weights(student, 12, 3, 8)
    x = randn(9, 2, 6, 12)
    assert close(layer.attention_weights(x), exact_multi_head(x, given, 3)[1])


def test_no_dropout_in_eval_mode(student):
    layer, _ = multi_head_and_weights(student, 12, 3, 8)
    x = randn(9, 2, 6, 12)
    assert torch.equal(layer(x), layer(x))


def test_rows_do_not_meet(student):
    layer, _ = multi_head_and_weights(student, 12, 3, 8)
    x = randn(9, 3, 6, 12)
    assert close(layer(x)[1:2], layer(x[1:2]))
