"""Hidden grader of rung 3: LayerNorm, FeedForward, Block.

All exact items run in float64 and eval mode under given weights; sizes are pairwise distinct.
"""

import math

import torch

from milestones.hidden import shape_table
from milestones.hidden.influence import THRESHOLD, caller, expect_causal
from milestones.hidden.loading import count, load_with_biases, prepared, scaled
from milestones.hidden.weights import (
    block,
    block_weights,
    feed_forward,
    feed_forward_weights,
    layer_norm,
    layer_norm_weights,
)
from autograder.grading.student import StudentError

B, T, C, N_HEAD, BLOCK_SIZE = 2, 5, 12, 3, 7  # head_size 4, hidden width 48
OTHER = {"B": 3, "T": 7, "C": 10, "n_head": 2, "block_size": 9}  # head_size 5, hidden width 40
NO_ATTENTION = {"attn.c_proj.weight": 0.0, "attn.c_proj.bias": 0.0}
NO_FEED_FORWARD = {"mlp.c_proj.weight": 0.0, "mlp.c_proj.bias": 0.0}


# Helpers


def tokens(draw, *shape):
    """Float64 tokens, each with a mean and a spread of its own: what statistics over anything but C would mix."""
    spread = 0.5 + 3 * draw.rand(*shape[:-1], 1)
    return draw.randn(*shape) * spread + 2 * draw.randn(*shape[:-1], 1)


def new_layer_norm(student, weights, n_embd=C, **options):
    return prepared(student, student.model.block.LayerNorm(n_embd, **options), weights)


def new_feed_forward(student, weights, n_embd=C):
    return prepared(student, student.model.block.FeedForward(n_embd), weights)


def new_block(student, weights, n_embd=C, n_head=N_HEAD, block_size=BLOCK_SIZE):
    return prepared(student, student.model.block.Block(n_embd, n_head, block_size), weights)


def gradient_of(function, x, seed):
    """d sum(function(x) * seed) / dx of a reference function."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad((function(x) * seed).sum(), x)[0]


def is_tensor_like(value, other):
    return isinstance(value, torch.Tensor) and value.shape == other.shape and value.is_floating_point()


def gap(a, b):
    """The largest difference of two tensors; infinite when they are no tensors of one shape."""
    if not (isinstance(a, torch.Tensor) and is_tensor_like(b, a) and a.numel()):
        return math.inf
    return (a.double() - b.double()).abs().max().item()


def moved_tokens(before, after):
    """Bool (B * T,): which tokens of two (B, T, C) outputs differ; all of them when these are no such outputs."""
    if not (isinstance(before, torch.Tensor) and is_tensor_like(after, before) and before.ndim == 3):
        return torch.ones(B * T, dtype=torch.bool)
    return ~((before.double() - after.double()).abs() <= THRESHOLD).all(dim=-1).reshape(-1)


def token_influence(student, module, x, noise):
    """Bool (B*T, B*T): entry [o, i] says whether token o of the output moves when token i of the input is replaced."""
    inputs = [x]
    for b in range(B):
        for t in range(T):
            changed = x.clone()
            changed[b, t] = noise[b, t]
            inputs.append(changed)
    before, *after = caller(student, module)(inputs)
    return torch.stack([moved_tokens(before, out) for out in after], dim=1)


def expect_per_token(expect, what, matrix):
    alone = torch.eye(B * T, dtype=torch.bool)
    mixed = (matrix & ~alone).nonzero()
    story = ""
    if len(mixed):
        (bo, to), (bi, ti) = (divmod(i, T) for i in mixed[0].tolist())
        story = f" Changing token {ti} of row {bi} moves token {to} of row {bo}."
    expect.true(f"{what} treats each token alone", len(mixed) == 0, evidence=matrix, rule=f"Tokens are mixed.{story}")
    expect.true(
        f"{what} sees its own token",
        matrix.diagonal().all(),
        evidence=matrix,
        rule="Some tokens of the output do not depend on their own input.",
    )


# LayerNorm


def test_layer_norm_values(student, draw, expect):
    """LayerNorm equals its formula for inputs of one to four dimensions and two widths."""
    rule = "Each token is normalised over its own C features: biased variance, eps inside the root, weight, bias."
    shapes = (C,), (T, C), (B, T, C), (B, 3, T, C)
    inputs = [tokens(draw, *shape) for shape in shapes]
    weights = layer_norm_weights(draw, C, bias=True)
    wide, wide_weights = tokens(draw, 4, 37), layer_norm_weights(draw, 37, bias=True)
    norm = new_layer_norm(student, weights)
    for x in reversed(inputs):
        label = f"LayerNorm on {tuple(x.shape)}"
        expect.close(label, norm(x), layer_norm(x, weights), rule=rule)
    expect.close(
        "LayerNorm on (4, 37)", new_layer_norm(student, wide_weights, 37)(wide), layer_norm(wide, wide_weights), rule=rule
    )


def test_layer_norm_eps(student, draw, expect):
    """eps is 1e-5 by default, can be chosen, stands inside the root, and keeps constant tokens finite."""
    weights = layer_norm_weights(draw, C, bias=True)
    constant = torch.full((B, T, C), 3.0, dtype=torch.float64) * torch.arange(T)[:, None]
    quiet = 0.003 * draw.randn(B, T, C) + 0.01
    loud = tokens(draw, B, T, C)
    norm = new_layer_norm(student, weights)
    expect.close(
        "a constant token",
        norm(constant),
        weights["bias"].expand(B, T, C),
        rule="A token whose features are all equal has variance 0 and must become the bias, not NaN.",
    )
    expect.close(
        "a quiet token",
        norm(quiet),
        layer_norm(quiet, weights),
        rule="This token's variance is as small as eps, so it shows eps: 1e-5, added to the variance under the root.",
    )
    expect.close(
        "eps=0.25",
        new_layer_norm(student, weights, eps=0.25)(loud),
        layer_norm(loud, weights, eps=0.25),
        rule="LayerNorm(n_embd, eps=0.25) must use that eps.",
    )


def test_layer_norm_per_token(student, draw, expect):
    """No token's result depends on another token, on the batch, or on train mode."""
    x, noise = tokens(draw, B, T, C), tokens(draw, B, T, C)
    weights = layer_norm_weights(draw, C, bias=True)
    norm = new_layer_norm(student, weights)
    whole = norm(x)
    expect.tensor("LayerNorm(x)", whole, shape=(B, T, C), dtype=torch.float64)
    expect_per_token(expect, "LayerNorm", token_influence(student, norm, x, noise))
    if is_tensor_like(whole, x):
        expect.close(
            "one token alone",
            norm(x[:1, 2:3].contiguous()),
            whole[:1, 2:3],
            rule="A token alone must come out as it does inside a batch.",
        )
        norm.train()
        expect.close(
            "in train mode",
            norm(x),
            whole,
            rule="LayerNorm keeps no running statistics: training and evaluation give the same result.",
        )


def test_layer_norm_parameters(student, draw, expect):
    """weight starts at one and bias at zero, both (C,), and both receive gradients; so does the input."""
    x, seed = tokens(draw, B, T, C), draw.randn(B, T, C)
    weights = layer_norm_weights(draw, C, bias=True)
    norm = student.model.block.LayerNorm(C)
    norm.double()
    norm.eval()
    parameters = student.parameters(norm)
    expect.equal(
        "numbers to learn",
        count(parameters),
        2 * C,
        rule=f"LayerNorm learns a weight and a bias of C numbers each, {2 * C} here; both must be nn.Parameters.",
    )
    fresh = {"weight": torch.ones(C, dtype=torch.float64), "bias": torch.zeros(C, dtype=torch.float64)}
    expect.close("a new LayerNorm", norm(x), layer_norm(x, fresh), rule="weight starts at 1 and bias at 0.")
    norm.load_weights(weights)
    expect_backward(student, expect, norm, x, seed)
    expect.close(
        "gradient at the input",
        student.input_gradient(norm, x, seed),
        gradient_of(lambda z: layer_norm(z, weights), x, seed),
        rule="The gradient must flow through the mean and the variance as well: no detach, no no_grad, no .data.",
    )


def expect_backward(student, expect, module, x, seed):
    """State that every parameter of the module receives a gradient from sum(module(x) * seed)."""
    try:
        student.backward(module, x, seed=seed)
    except StudentError as error:
        expect.true("backward works", False, rule=f"backward() through the module raised {error}.")
        return
    parameters = student.parameters(module)
    without = [parameter["shape"] for parameter in parameters if not parameter["has_grad"]]
    expect.true(
        "every parameter has a gradient",
        not without,
        evidence=without,
        rule=f"{len(without)} of {len(parameters)} parameters receive no gradient: they are not used in the forward"
        " pass, or cut off from it.",
    )


# FeedForward


def test_feed_forward_values(student, draw, expect):
    """FeedForward is C -> 4C -> C with the tanh form of GELU, exactly."""
    rule = "The result is gelu(x @ W_fc + b_fc) @ W_proj + b_proj, with GPT-2's tanh form of GELU."
    x, other = draw.randn(B, T, C), draw.randn(3, 4, 10)
    weights = feed_forward_weights(draw, C, bias=True)
    other_weights = feed_forward_weights(draw, 10)
    module = student.model.block.FeedForward(C)
    module.double()
    module.eval()
    bare = {name: torch.zeros_like(t) if name.endswith("bias") else t for name, t in weights.items()}
    module.load_weights(bare)
    expect.close("FeedForward(x)", module(x), feed_forward(x, bare), rule=rule)
    taken = load_with_biases(module, weights)
    expect.close(
        "FeedForward(x) with biases",
        module(x),
        feed_forward(x, taken),
        rule=f"{rule} A layer without a bias must refuse one that is not zero, with ValueError.",
    )
    second = new_feed_forward(student, other_weights, 10)
    expect.close("a FeedForward of width 10", second(other), feed_forward(other, other_weights), rule=rule)


def test_feed_forward_nonlinear(student, draw, expect):
    """FeedForward bends: f(a + b) is not f(a) + f(b) - f(0); also far from zero; and each token is treated alone."""
    a, b = draw.randn(B, T, C), draw.randn(B, T, C)
    weights = feed_forward_weights(draw, C)
    module = new_feed_forward(student, weights)
    together, first, second, nothing = caller(student, module)([a + b, a, b, torch.zeros_like(a)])
    parts = together, first, second, nothing
    for name, part in zip(("f(a + b)", "f(a)", "f(b)", "f(0)"), parts, strict=True):
        expect.tensor(name, part, shape=(B, T, C), dtype=torch.float64)
    if all(is_tensor_like(part, a) for part in parts):
        expect.above(
            "f(a + b) - f(a) - f(b) + f(0)",
            (together - first - second + nothing).abs().max().item(),
            1e-3,
            rule="The feed-forward is linear: two matrices without a bend between them are one matrix.",
        )
    expect_per_token(expect, "FeedForward", token_influence(student, module, a, b))
    expect.close(
        "far from zero",
        module(30 * a),
        feed_forward(30 * a, weights),
        rule="For hidden numbers of 30 or 100 GELU is the number itself, and for -30 it is 0: an exponential on the way"
        " must not run out of range.",
    )


def test_feed_forward_parameters(student, draw, expect):
    """Two matrices of C * 4C numbers, biases or none, and every one of them receives a gradient."""
    x, seed = draw.randn(B, T, C), draw.randn(B, T, C)
    weights = feed_forward_weights(draw, C)
    module = new_feed_forward(student, weights)
    numbers = count(student.parameters(module))
    allowed = [8 * C * C + extra for extra in (0, C, 4 * C, 5 * C)]
    expect.true(
        "numbers to learn",
        numbers in allowed,
        evidence=numbers,
        rule=f"Two matrices of C * 4C numbers make {allowed[0]} here ({allowed[-1]} with both biases), but the module"
        f" has {numbers}: the hidden width is not 4C, or a layer is not registered.",
    )
    expect_backward(student, expect, module, x, seed)
    expect.close(
        "gradient at the input",
        student.input_gradient(module, x, seed),
        gradient_of(lambda z: feed_forward(z, weights), x, seed),
        rule="The gradient with respect to the input is not that of the formula: something is cut out of the graph.",
    )


# Block


def test_block_identity(student, draw, expect):
    """With the last matrix of both branches zero, a block hands x on unchanged, in train mode too."""
    x = tokens(draw, B, T, C)
    weights = scaled(block_weights(draw, C), NO_ATTENTION | NO_FEED_FORWARD)
    expect.close(
        "a block whose branches are silent",
        new_block(student, weights)(x),
        x,
        rule="With both branches at zero, x + 0 + 0 must be x: nothing but additions may touch the residual stream.",
    )
    module = prepared(student, student.model.block.Block(C, N_HEAD, BLOCK_SIZE, 0.5), weights)
    module.train()
    expect.close(
        "the stream in train mode",
        module(x),
        x,
        record=False,
        rule="Dropout belongs into the branches: the stream itself must pass whole, in train mode too.",
    )


def test_block_branches(student, draw, expect):
    """Each branch alone adds what it should: x + attention(norm_1(x)) and x + feed_forward(norm_2(x))."""
    x = tokens(draw, B, T, C)
    weights = block_weights(draw, C)
    for name, silent in (("attention", NO_FEED_FORWARD), ("feed-forward", NO_ATTENTION)):
        loaded = scaled(weights, silent)
        expect.close(
            f"{name} alone",
            new_block(student, loaded)(x),
            block(x, loaded, N_HEAD),
            rule=f"With the other branch silent, a block is x + {name}(norm(x)), with that branch's own norm.",
        )
    expect.note("both branches at work", new_block(student, weights)(x))


def test_block_two_norms(student, draw, expect):
    """The two norms are two: each acts on its own branch only."""
    x = tokens(draw, B, T, C)
    weights = block_weights(draw, C)
    cases = ("attention", "ln_1", "ln_2", NO_FEED_FORWARD), ("feed-forward", "ln_2", "ln_1", NO_ATTENTION)
    for branch, own, foreign, silent in cases:
        base = scaled(weights, silent)
        module = new_block(student, base)
        before = module(x)
        expect.tensor(f"Block(x), {branch} only", before, shape=(B, T, C), dtype=torch.float64)
        module.load_weights(scaled(base, {f"{foreign}.weight": -2.0}))
        after_foreign = module(x)
        module.load_weights(scaled(base, {f"{own}.weight": -2.0}))
        after_own = module(x)
        foreign_gap, own_gap = gap(before, after_foreign), gap(before, after_own)
        expect.true(
            f"{foreign} leaves the {branch} branch alone",
            foreign_gap <= THRESHOLD,
            evidence=foreign_gap <= THRESHOLD,
            rule=f"With only the {branch} branch active, changing {foreign}.weight changes the block's output: the two"
            " norms share their weights, or are swapped.",
        )
        expect.true(
            f"{own} shapes the {branch} branch",
            own_gap > 1e-6,
            evidence=own_gap > 1e-6,
            rule=f"With only the {branch} branch active, changing {own}.weight changes nothing.",
        )
    expect.note("numbers that nothing depends on", unreached(student, new_block(student, weights), x))


def unreached(student, module, x):
    """How many numbers of the module get no gradient; None where there is no backward pass."""
    try:
        student.backward(module, x)
    except StudentError:
        return None
    return count(parameter for parameter in student.parameters(module) if not parameter["has_grad"])


def test_block_values(student, draw, expect):
    """The whole block equals its two lines, for two sets of sizes, with the biases that it has."""
    rule = "A block is x = x + attention(norm_1(x)), then x = x + feed_forward(norm_2(x)), in this order."
    x, other = tokens(draw, B, T, C), tokens(draw, OTHER["B"], OTHER["T"], OTHER["C"])
    weights = block_weights(draw, C)
    other_weights = block_weights(draw, OTHER["C"], bias=True)
    first = new_block(student, weights)
    second = student.model.block.Block(OTHER["C"], OTHER["n_head"], OTHER["block_size"])
    second.double()
    second.eval()
    expect.close("Block(x)", first(x), block(x, weights, N_HEAD), rule=rule)
    taken = load_with_biases(second, other_weights)
    expect.close("a block of other sizes", second(other), block(other, taken, OTHER["n_head"]), rule=rule)
    single = student.model.block.Block(C, N_HEAD, BLOCK_SIZE)
    single.eval()
    rounded = {name: tensor.float() for name, tensor in weights.items()}
    single.load_weights(rounded)
    exact = {name: tensor.double() for name, tensor in rounded.items()}
    expect.close(
        "Block in float32",
        single(x.float()),
        block(x.float(), exact, N_HEAD).float(),
        rule="In float32 the block must be as exact as float32 is: no half precision inside.",
    )


def test_block_causal(student, draw, expect):
    """No output depends on a later position, and every output depends on every earlier one, in both modes."""
    x, noise = tokens(draw, B, T, C), tokens(draw, B, T, C)
    module = new_block(student, block_weights(draw, C))
    expect.tensor("Block(x)", module(x), shape=(B, T, C), dtype=torch.float64)
    call = caller(student, module)
    expect_causal(expect, call, x, noise)
    module.train()
    first, second = call([x, x])
    if gap(first, second) <= THRESHOLD:  # else something is dropped at rate 0, which another item says
        expect_causal(expect, call, x, noise, label="train mode: ")


def test_block_gradients(student, draw, expect):
    """The gradient that reaches the input is exactly that of the formula, and every parameter receives one."""
    x, seed = tokens(draw, B, T, C), draw.randn(B, T, C)
    weights = block_weights(draw, C)
    module = new_block(student, weights)
    expect_backward(student, expect, module, x, seed)
    expect.close(
        "gradient at the input",
        student.input_gradient(module, x, seed),
        gradient_of(lambda z: block(z, weights, N_HEAD), x, seed),
        rule="The gradient is not that of the formula: something is cut out of the graph (detach, no_grad, .data).",
    )


def test_gradient_flow(student, draw, expect):
    """Through 24 new blocks in a row, the gradient arrives at the bottom about as strong as it was at the top."""
    depth, width, n_head = 24, 96, 4
    x, seed = draw.randn(B, T, width), draw.randn(B, T, width)
    blocks = [student.model.block.Block(width, n_head, BLOCK_SIZE) for _ in range(depth)]
    inputs = [x]
    for module in blocks:
        module.double()
        module.eval()
        inputs.append(module(inputs[-1]))
        expect.tensor("the output of a stacked block", inputs[-1], shape=(B, T, width), dtype=torch.float64)
    gradient = seed
    for module, below in zip(reversed(blocks), reversed(inputs[:-1]), strict=True):
        gradient = student.input_gradient(module, below, gradient)
        expect.tensor("the gradient below a block", gradient, shape=(B, T, width), dtype=torch.float64)
    ratio = (gradient.norm() / seed.norm()).item()
    expect.true(
        "gradient at the bottom / at the top",
        # GPT-2's first weights give 1, PyTorch's 2, Kaiming's 15; a standard deviation of 1 gives 600 and more.
        0.07 <= ratio <= 200,
        record=False,
        rule=f"Through {depth} blocks the gradient is multiplied by {ratio:.1e}: without a residual path around each"
        " branch it dies on the way down, and the lower layers never learn; with weights that start too large it"
        " explodes.",
    )


def test_dropout_modes(student, draw, expect):
    """Dropout acts in train mode only, in both branches, keeps the mean, and is off at 0."""
    rounds = 400
    x = tokens(draw, B, T, C)
    ff_weights, weights = feed_forward_weights(draw, C), block_weights(draw, C)
    module = prepared(student, student.model.block.FeedForward(C, 0.5), ff_weights)
    expected = feed_forward(x, ff_weights)
    expect.close("FeedForward in eval mode", module(x), expected, rule="In eval mode dropout must do nothing.")
    module.train()
    outputs = student.repeat(module, rounds, x)
    for out in outputs[:2]:
        expect.tensor("FeedForward in train mode", out, shape=(B, T, C), dtype=torch.float64)
    if all(is_tensor_like(out, x) for out in outputs):
        stacked = torch.stack(outputs)
        spread = stacked.std(dim=0)
        expect.true(
            "FeedForward drops in train mode",
            spread.max() > 1e-6,
            rule="Two passes in train mode are equal: no dropout.",
        )
        deviation = (stacked.mean(dim=0) - expected).abs() / (spread / math.sqrt(rounds) + 1e-9)
        expect.true(
            "dropout keeps the mean",
            deviation.max() < 8,
            record=False,
            rule="The mean over many passes is not the result without dropout: what is kept must be divided by 1 - p.",
        )
    for branch, silent in (("attention", NO_FEED_FORWARD), ("feed-forward", NO_ATTENTION)):
        loaded = scaled(weights, silent)
        module = prepared(student, student.model.block.Block(C, N_HEAD, BLOCK_SIZE, 0.5), loaded)
        expect.close(
            f"{branch} branch in eval mode", module(x), block(x, loaded, N_HEAD), rule="No dropout in eval mode."
        )
        module.train()
        first, second = student.repeat(module, 2, x)
        expect.true(
            f"the {branch} branch drops in train mode",
            gap(first, second) > 1e-6,
            rule=f"Block(..., dropout=0.5) in train mode: two passes through the {branch} branch are equal. Is the rate"
            " handed on?",
        )
    module = prepared(student, student.model.block.FeedForward(C), ff_weights)
    module.train()
    expect.close(
        "FeedForward without a rate in train mode",
        module(x),
        expected,
        record=False,
        rule="Without a rate nothing is dropped: dropout is 0 unless chosen.",
    )
    module = prepared(student, student.model.block.Block(C, N_HEAD, BLOCK_SIZE), weights)
    module.train()
    expect.close(
        "dropout=0 in train mode",
        module(x),
        block(x, weights, N_HEAD),
        record=False,  # what is dropped all the same is a matter of chance
        rule="With dropout=0 nothing is dropped.",
    )


def test_shapes_and_types(student, draw, expect):
    """Shape and dtype are kept, from one token to block_size; x is not changed; longer input is refused."""
    x = draw.randn(B, BLOCK_SIZE + 1, C, dtype=torch.float32)
    modules = {
        "LayerNorm": student.model.block.LayerNorm(C),
        "FeedForward": student.model.block.FeedForward(C),
        "Block": student.model.block.Block(C, N_HEAD, BLOCK_SIZE),
    }
    for name, module in modules.items():
        module.eval()
        for length in (1, T, BLOCK_SIZE):
            part = x[:, :length].contiguous()
            here = student.put(part)
            expect.tensor(f"{name} on (2, {length}, 12)", module(here), shape=part.shape, dtype=torch.float32)
            expect.equal(
                f"the input after {name} on (2, {length}, 12)",
                student.value(here),
                part,
                record=False,
                rule="The module changed the tensor that it was given: x += ... writes into it, x = x + ... does not.",
            )
    expect.raises(
        "T > block_size",
        ValueError,
        modules["Block"],
        x,
        rule="A block made for 7 positions must refuse 8.",
    )


def test_shape_table(student, draw, expect):
    """notes/architecture.md names the shapes of this rung."""
    rows = {"normed": "(B, T, C)", "hidden": "(B, T, 4C)", "stream": "(B, T, C)"}
    shape_table.check(expect, student.files.get("notes/architecture.md"), rows=rows)
