"""Random named weights for `load_weights`, and what the modules must then compute.

Names and layout are GPT-2's (every matrix is (in, out), so that y = x @ W + b). The second half states each
module as a plain function of its named weights, in float64, one formula per line: submissions are compared
with it, so it is written for reading, not for speed.

Matrices have entries of variance 1 / in: on inputs of unit variance the scores are of order 1, no softmax
saturates, and every position keeps a visible influence. Biases are zero unless asked for, because a module
without biases is a right answer too.
"""

import math

import torch
import torch.nn.functional as F

# Random weights


def matrix(draw, fan_in, fan_out):
    """Float64 (fan_in, fan_out), variance 1 / fan_in."""
    return draw.randn(fan_in, fan_out, dtype=torch.float64) / math.sqrt(fan_in)


def bias_vector(draw, size, bias):
    """Float64 (size,): zero, or half a standard normal."""
    values = draw.randn(size, dtype=torch.float64) / 2
    return values if bias else torch.zeros_like(values)


def head_weights(draw, n_embd, head_size):
    """For Head: q, k, v, each (C, D)."""
    return {name: matrix(draw, n_embd, head_size) for name in ("q", "k", "v")}


def multi_head_weights(draw, n_embd, bias=False):
    """For MultiHeadAttention: c_attn (C, 3C: q | k | v, heads side by side) and c_proj (C, C)."""
    return {
        "c_attn.weight": matrix(draw, n_embd, 3 * n_embd),
        "c_attn.bias": bias_vector(draw, 3 * n_embd, bias),
        "c_proj.weight": matrix(draw, n_embd, n_embd),
        "c_proj.bias": bias_vector(draw, n_embd, bias),
    }


def layer_norm_weights(draw, n_embd, bias=False):
    """For LayerNorm: weight (C,), away from 0 and from 1, and bias (C,)."""
    return {
        "weight": 1.5 + draw.rand(n_embd, dtype=torch.float64),
        "bias": bias_vector(draw, n_embd, bias),
    }


def feed_forward_weights(draw, n_embd, bias=False):
    """For FeedForward: c_fc (C, 4C) and c_proj (4C, C)."""
    return {
        "c_fc.weight": matrix(draw, n_embd, 4 * n_embd),
        "c_fc.bias": bias_vector(draw, 4 * n_embd, bias),
        "c_proj.weight": matrix(draw, 4 * n_embd, n_embd),
        "c_proj.bias": bias_vector(draw, n_embd, bias),
    }


def block_weights(draw, n_embd, bias=False):
    """For Block: ln_1.*, attn.*, ln_2.*, mlp.*."""
    return {
        **above("ln_1", layer_norm_weights(draw, n_embd, bias)),
        **above("attn", multi_head_weights(draw, n_embd, bias)),
        **above("ln_2", layer_norm_weights(draw, n_embd, bias)),
        **above("mlp", feed_forward_weights(draw, n_embd, bias)),
    }


def gpt_weights(draw, *, vocab_size, block_size, n_layer, n_embd, bias=False):
    """For GPT: wte.weight (V, C), wpe.weight (block_size, C), h.N.*, ln_f.*. The head is wte transposed."""
    weights = {
        "wte.weight": draw.randn(vocab_size, n_embd, dtype=torch.float64) / math.sqrt(n_embd),
        "wpe.weight": draw.randn(block_size, n_embd, dtype=torch.float64) / math.sqrt(n_embd),
    }
    for layer in range(n_layer):
        weights |= above(f"h.{layer}", block_weights(draw, n_embd, bias))
    return weights | above("ln_f", layer_norm_weights(draw, n_embd, bias))


def above(prefix, weights):
    """The same weights with `prefix.` in front of each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in weights.items()}


def under(prefix, weights):
    """The weights whose names begin with `prefix.`, without it: the inverse of `above`."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in weights.items() if name.startswith(start)}


# What the modules compute
#
# Each takes tensors of any floating dtype and answers in float64; `.to(x.dtype)` makes the answer comparable
# with a submission's.


def causal_mask(T):
    """Bool (T, T), True where position t (row) may attend to position s (column): s <= t."""
    return torch.arange(T)[:, None] >= torch.arange(T)[None, :]


def attention(q, k, v, mask=None):
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1).

    q (..., T, D), k (..., S, D), v (..., S, Dv), mask bool (T, S) with True = may attend, or None.
    Returns out (..., T, Dv) and weights (..., T, S). A row of the mask without any True gives NaN.
    """
    q, k, v = q.double(), k.double(), v.double()
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


def head(x, weights):
    """One causal head: x (B, T, C) -> (B, T, D)."""
    x = x.double()
    return attention(x @ weights["q"], x @ weights["k"], x @ weights["v"], causal_mask(x.shape[1]))[0]


def _heads(x, weights, n_head):
    """q, k, v, each (B, H, T, D), of a multi-head attention."""
    B, T, C = x.shape
    projected = x.double() @ weights["c_attn.weight"] + weights["c_attn.bias"]
    return [part.view(B, T, n_head, C // n_head).transpose(1, 2) for part in projected.split(C, dim=-1)]


def multi_head_attention_weights(x, weights, n_head):
    """The attention weights of every head: x (B, T, C) -> (B, H, T, T)."""
    return attention(*_heads(x, weights, n_head), causal_mask(x.shape[1]))[1]


def multi_head(x, weights, n_head):
    """Causal multi-head attention (Vaswani et al. 2017, section 3.2.2): x (B, T, C) -> (B, T, C)."""
    out = attention(*_heads(x, weights, n_head), causal_mask(x.shape[1]))[0]
    merged = out.transpose(1, 2).reshape(x.shape)
    return merged @ weights["c_proj.weight"] + weights["c_proj.bias"]


def layer_norm(x, weights, eps=1e-5):
    """Layer normalisation over the last axis (Ba et al. 2016), biased variance, eps inside the root."""
    x = x.double()
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * weights["weight"] + weights["bias"]


def gelu_tanh(x):
    """GELU, tanh form (Hendrycks & Gimpel 2016, section 2), the one of GPT-2."""
    x = x.double()
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def feed_forward(x, weights):
    """Two linear maps with a GELU between them: (..., C) -> (..., C)."""
    hidden = gelu_tanh(x.double() @ weights["c_fc.weight"] + weights["c_fc.bias"])
    return hidden @ weights["c_proj.weight"] + weights["c_proj.bias"]


def block(x, weights, n_head):
    """Pre-norm block: x + attn(ln_1(x)), then + mlp(ln_2(x)): (B, T, C) -> (B, T, C)."""
    x = x.double()
    x = x + multi_head(layer_norm(x, under("ln_1", weights)), under("attn", weights), n_head)
    return x + feed_forward(layer_norm(x, under("ln_2", weights)), under("mlp", weights))


def gpt(idx, weights, n_head):
    """Logits (B, T, V) of a GPT-2 for token ids idx (B, T); the number of layers is read from the names."""
    T = idx.shape[1]
    x = F.embedding(idx, weights["wte.weight"]) + weights["wpe.weight"][:T]
    layers = {name.split(".")[1] for name in weights if name.startswith("h.")}
    for layer in range(len(layers)):
        x = block(x, under(f"h.{layer}", weights), n_head)
    return layer_norm(x, under("ln_f", weights)) @ weights["wte.weight"].T


def gpt_loss(logits, targets):
    """Mean cross-entropy in nats, targets of -1 left out: logits (B, T, V), targets (B, T) -> scalar."""
    log_probabilities = torch.log_softmax(logits.double(), dim=-1)
    kept = targets >= 0
    return -log_probabilities[kept].gather(-1, targets[kept][:, None]).mean()
