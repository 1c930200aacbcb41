"""Hidden grader of rung 4: GPTConfig and GPT.

Exact items run in float64 and eval mode under given weights. Training is done on this side: gradients come from the
submission, the optimizer and the judged loss do not.
"""

import math

import torch
import torch.nn.functional as F

from milestones.hidden import shape_table
from milestones.hidden.influence import THRESHOLD, caller, describe, expect_causal
from milestones.hidden.loading import count, load_with_biases, prepared, scaled
from milestones.hidden.weights import gpt, gpt_loss, gpt_weights
from autograder.grading.student import StudentError

# Two sets of sizes, pairwise distinct within each (batch, time, head_size and 4C included).
SIZES = {"block_size": 9, "vocab_size": 13, "n_layer": 4, "n_head": 3, "n_embd": 15}
B, T = 2, 6
OTHER = {"block_size": 11, "vocab_size": 10, "n_layer": 1, "n_head": 2, "n_embd": 14}
OTHER_B, OTHER_T = 3, 5
V, BLOCK_SIZE, N_HEAD, C = (SIZES[name] for name in ("vocab_size", "block_size", "n_head", "n_embd"))
FIELDS = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "dropout")


# Helpers


def new_gpt(student, sizes, dropout=0.0):
    config = student.keep(student.model.transformer.GPTConfig, **sizes, dropout=dropout)
    return student.model.transformer.GPT(config)


def draw_weights(draw, sizes, bias=False):
    sizes = {name: size for name, size in sizes.items() if name != "n_head"}
    return gpt_weights(draw, **sizes, bias=bias)


def loaded_gpt(student, draw, sizes=SIZES, dropout=0.0):
    """A model in float64 and eval mode under random weights, and those weights (biases zero)."""
    weights = draw_weights(draw, sizes)
    return prepared(student, new_gpt(student, sizes, dropout), weights), weights


def part(result, index):
    """One element of (logits, loss), or the whole odd thing that came back instead."""
    return result[index] if isinstance(result, (list, tuple)) and len(result) == 2 else result


def expect_pair(expect, what, result):
    expect.true(
        f"{what} is a pair",
        isinstance(result, (list, tuple)) and len(result) == 2,
        rule="forward returns a pair: (logits, loss), with loss None when there are no targets.",
    )


def other_tokens(draw, idx, vocab_size):
    """Token ids of the same shape that differ from idx everywhere."""
    return (idx + draw.randint(1, vocab_size, idx.shape)) % vocab_size


def same(a, b):
    """Two equal tensors, up to rounding."""
    return isinstance(a, torch.Tensor) and is_like(b, a.shape) and bool((a - b).abs().max() <= 1e-6)


def draw_targets(draw):
    """Targets (B, T) with the first and the last token of the vocabulary among them, whatever the seed."""
    targets = draw.randint(0, V, (B, T))
    targets[0, 0], targets[1, T - 1] = 0, V - 1
    return targets


def is_like(value, shape):
    return isinstance(value, torch.Tensor) and tuple(value.shape) == tuple(shape) and value.is_floating_point()


# What comes out


def test_shapes(student, draw, expect):
    """(logits, loss): (B, T, V) with targets or without, None or one number, in the dtype of the weights."""
    idx = draw.randint(0, V, (B, BLOCK_SIZE))
    targets = draw.randint(0, V, (B, BLOCK_SIZE))
    model = new_gpt(student, SIZES)
    model.eval()
    for dtype, length in ((torch.float32, 1), (torch.float32, T), (torch.float32, BLOCK_SIZE), (torch.float64, T)):
        if dtype is torch.float64:
            model.double()
        label = f"{str(dtype).removeprefix('torch.')}, T = {length}"
        here = student.put(idx[:, :length].contiguous())
        for suffix, arguments in (("", ()), (" with targets", (targets[:, :length].contiguous(),))):
            result = model(here, *arguments)
            expect_pair(expect, f"model(idx){suffix} ({label})", result)
            logits, loss = part(result, 0), part(result, 1)
            expect.tensor(
                f"logits{suffix} ({label})",
                logits,
                shape=(B, length, V),
                dtype=dtype,
                rule="Logits keep batch and time apart; flatten copies for the loss, not what you return.",
            )
            if arguments:
                expect.tensor(f"loss ({label})", loss, shape=(), dtype=dtype, rule="The loss is one number: the mean.")
            else:
                expect.true(f"no loss ({label})", loss is None, rule="Without targets the loss is None.")
        expect.equal(
            f"idx afterwards ({label})",
            student.value(here),
            idx[:, :length],
            record=False,
            rule="The model changed the tensor that it was given.",
        )
    mixed = student.value(student.instrument("elsewhere", model, B, T))
    expect.true(
        "works on another device",
        mixed == "",
        evidence=mixed == "",
        rule=f"On a GPU this model would fail ({mixed}): forward makes a tensor that stays on the CPU. Positions, for"
        " example, belong on idx.device.",
    )


def test_config(student, draw, expect):
    """GPTConfig has its six fields and defaults, and each model carries its own."""
    defaults = {"block_size": 256, "vocab_size": 65, "n_layer": 6, "n_head": 6, "n_embd": 384, "dropout": 0.2}
    config = student.keep(student.model.transformer.GPTConfig)
    for name in FIELDS:
        expect.equal(f"GPTConfig().{name}", student.value(getattr(config, name)), defaults[name])
    models = {"first": (new_gpt(student, SIZES), SIZES), "second": (new_gpt(student, OTHER), OTHER)}
    for label, (model, sizes) in models.items():
        for name, size in sizes.items():
            expect.equal(
                f"{label} model.config.{name}",
                student.value(getattr(model.config, name)),
                size,
                rule="Each model keeps the configuration that it was built from as model.config.",
            )


def test_parameter_count(student, draw, expect):
    """num_parameters counts each Parameter once, and grows by what a layer, a token and a position need."""
    base = {"block_size": 8, "vocab_size": 101, "n_layer": 2, "n_head": 2, "n_embd": 6}
    width = base["n_embd"]

    def parameters(**changes):
        model = new_gpt(student, base | changes)
        listed = count(student.parameters(model))
        label = "".join(f"{name}={value}" for name, value in changes.items()) or "the base model"
        counted = model.num_parameters()
        if isinstance(counted, int):
            expect.note(f"too many or too few in {label}", counted - listed)
        expect.equal(
            f"num_parameters() of {label}",
            counted,
            listed,
            record=False,
            rule="num_parameters() is the sum over model.parameters(), where a tied Parameter appears once.",
        )
        return listed

    basic = parameters()
    expect.equal(
        "more parameters for one more token",
        parameters(vocab_size=102) - basic,
        width,
        rule=f"One more token in the vocabulary needs one more row of wte, C = {width} numbers: embedding and head are"
        " one matrix, and the head has no bias.",
    )
    expect.equal(
        "more parameters for one more position",
        parameters(block_size=9) - basic,
        width,
        rule=f"One more position needs one more row of wpe, C = {width} numbers, and nothing else.",
    )
    layer = parameters(n_layer=3) - basic
    smallest, largest = 12 * width**2 + 2 * width, 12 * width**2 + 13 * width
    expect.true(
        "more parameters for one more layer",
        smallest <= layer <= largest,
        evidence=layer,
        rule=f"A block has 12 C^2 numbers in its matrices, plus norms and biases: {smallest} to {largest} here. One more"
        f" layer added {layer}: are the layers separate modules, each registered?",
    )
    rest = basic - 2 * layer - (base["vocab_size"] + base["block_size"]) * width
    expect.true(
        "parameters of the last norm",
        rest in (width, 2 * width),
        evidence=rest,
        rule=f"Beside embeddings and blocks there is only the last LayerNorm, {2 * width} numbers; {rest} are left.",
    )


def test_tied(student, draw, expect):
    """Embedding and head are one Parameter, and stay one after a step."""
    idx = draw.randint(0, V, (B, T))
    model, weights = loaded_gpt(student, draw)
    step = 0.3 * draw.randn(V, C)
    listed = student.parameters(model)
    vocabulary = [i for i, parameter in enumerate(listed) if V in parameter["shape"]]
    expect.true(
        "one Parameter has a side of length vocab_size",
        len(vocabulary) == 1,
        evidence=[listed[i]["shape"] for i in vocabulary],
        rule=f"Embedding and head must be one Parameter, the only one with a side of length vocab_size, but there are"
        f" {len(vocabulary)}. Two that start with equal numbers drift apart after one step.",
    )
    if len(vocabulary) != 1:
        return
    expect.equal(
        "Parameters that share its memory",
        sum(p["storage"] == listed[vocabulary[0]]["storage"] for p in listed),
        1,
        record=False,
        rule="Two Parameters look at the same memory: an optimizer would update it twice.",
    )
    tensors = student.get_parameters(model)
    matrix = tensors[vocabulary[0]]
    tensors[vocabulary[0]] = matrix + (step if tuple(matrix.shape) == (V, C) else step.T)
    student.set_parameters(model, tensors)
    moved = weights | {"wte.weight": weights["wte.weight"] + step}
    expect.close(
        "logits after a step on that Parameter",
        part(model(idx), 0),
        gpt(idx, moved, N_HEAD),
        rule="After a step on the shared matrix both the embedding and the head must use the new numbers.",
    )


def test_first_loss(student, draw, expect):
    """A new model knows nothing: its first loss is within 10 % of ln V."""
    cases = (
        {"block_size": 32, "vocab_size": 96, "n_layer": 3, "n_head": 4, "n_embd": 48},
        {"block_size": 64, "vocab_size": 65, "n_layer": 4, "n_head": 4, "n_embd": 128},
    )
    for sizes in cases:
        vocab_size = sizes["vocab_size"]
        idx = draw.randint(0, vocab_size, (8, 32))
        targets = draw.randint(0, vocab_size, (8, 32))
        model = new_gpt(student, sizes)
        model.eval()
        label = f"first loss (vocab_size={vocab_size}, n_embd={sizes['n_embd']})"
        logits = part(model(idx, targets), 0)
        expect.tensor(f"logits of the model with n_embd={sizes['n_embd']}", logits, shape=(8, 32, vocab_size))
        if not is_like(logits, (8, 32, vocab_size)):
            return
        loss, knows_nothing = gpt_loss(logits, targets).item(), math.log(vocab_size)
        fits = abs(loss - knows_nothing) <= 0.1 * knows_nothing
        expect.true(
            label,
            fits,
            # The number itself differs from one initialisation to the next.
            evidence="fits" if fits else "too high" if loss > knows_nothing else "too low",
            rule=f"The first loss is {loss:.2f}, expected about ln {vocab_size} = {knows_nothing:.2f}."
            + (" The weights start too large: the model is sure of nonsense." if loss > knows_nothing else ""),
        )


# Exact values


def test_exact_logits(student, draw, expect):
    """Under given weights the logits are exact, for two configurations that live in one process."""
    rule = "The logits differ from embedding + position, the blocks in order, the last norm, and the tied head."
    idx = draw.randint(0, V, (B, T))
    other_idx = draw.randint(0, OTHER["vocab_size"], (OTHER_B, OTHER_T))
    weights, other_weights = draw_weights(draw, SIZES), draw_weights(draw, OTHER, bias=True)
    model, other = new_gpt(student, SIZES), new_gpt(student, OTHER)
    prepared(student, model, weights)
    other.double()
    other.eval()
    taken = load_with_biases(other, other_weights)
    expect.close("logits", part(model(idx), 0), gpt(idx, weights, N_HEAD), rule=rule)
    expect.close("logits of another model", part(other(other_idx), 0), gpt(other_idx, taken, OTHER["n_head"]), rule=rule)
    expect.close(
        "logits of the first model again",
        part(model(idx), 0),
        gpt(idx, weights, N_HEAD),
        rule="A second model in the same process changed the first one: something is shared between models.",
    )


def test_loss_values(student, draw, expect):
    """The loss is the mean cross-entropy in nats over the targets that are not -1."""
    idx, targets = draw.randint(0, V, (B, T)), draw_targets(draw)
    holes = targets.clone()
    holes[0, 1:4] = -1
    holes[1, 0] = -1
    row = targets.clone()
    row[0] = -1
    model, weights = loaded_gpt(student, draw)
    logits = gpt(idx, weights, N_HEAD)
    cases = ("loss", targets), ("loss with four targets of -1", holes), ("loss with a whole row of -1", row)
    for label, wanted in cases:
        result = model(idx, wanted)
        expect_pair(expect, f"the result for the {label}", result)
        expect.close(
            label,
            part(result, 1),
            gpt_loss(logits, wanted),
            rule="The loss is the mean of -log softmax(logits)[target] over all targets that are not -1; targets are"
            " already shifted by one.",
        )
        expect.close(
            f"logits beside the {label}",
            part(result, 0),
            logits,
            rule="Targets must not change the logits.",
            record=False,
        )
    model.train()
    result = model(idx, targets)
    seen, loss = part(result, 0), part(result, 1)
    given = loss.item() if isinstance(loss, torch.Tensor) and loss.numel() == 1 else math.nan
    expected = gpt_loss(seen, targets).item() if is_like(seen, (B, T, V)) else math.nan
    close = abs(given - expected) <= 1e-9 * (1 + abs(expected))
    rule = f"In train mode the loss is {given:.6g}; the mean cross-entropy of the logits beside it is {expected:.6g}."
    expect.true("loss in train mode", close, rule=rule, evidence=close or round(given - expected, 6))


def test_positions(student, draw, expect):
    """Position t, counted from 0, adds row t of wpe; so order matters, and all block_size positions can be used."""
    idx = draw.randint(0, V, (B, BLOCK_SIZE))
    idx[:, 1] = (idx[:, 0] + 1) % V
    shifts = draw.randn(BLOCK_SIZE, C)
    model, weights = loaded_gpt(student, draw)
    call = caller(student, model, pick=0)
    logits = call([idx])[0]
    expect.tensor("logits", logits, shape=(B, BLOCK_SIZE, V), dtype=torch.float64)
    shallow, _ = loaded_gpt(student, draw, SIZES | {"n_layer": 1})  # deeper ones can tell some order by the mask alone
    swapped = idx.clone()
    swapped[:, :2] = idx[:, :2].flip(1)
    pair = caller(student, shallow, pick=0)([idx, swapped])
    last, last_swapped = (out[:, -1] if is_like(out, (B, BLOCK_SIZE, V)) else None for out in pair)
    ordered = last is not None and last_swapped is not None and (last - last_swapped).abs().max() > 1e-6
    expect.true(
        "swapping two early tokens changes the last logits",
        ordered,
        evidence=bool(ordered),
        rule="Swapping the first two tokens leaves the last prediction as it was: the model does not see order.",
    )
    rows = []
    for position in range(BLOCK_SIZE):
        shifted = weights["wpe.weight"].clone()
        shifted[position] += shifts[position]
        model.load_weights(weights | {"wpe.weight": shifted})
        (after,) = call([idx])
        rows.append(moved_rows(logits, after))
    matrix = torch.stack(rows, dim=1)
    expect.true(
        "row p of wpe moves the outputs from position p on",
        bool((matrix == torch.ones(BLOCK_SIZE, BLOCK_SIZE, dtype=torch.bool).tril()).all()),
        evidence=matrix,
        rule=f"The rows of wpe are not used by the positions they belong to. {describe(matrix)} (Here 'input at position"
        " s' is row s of wpe.)",
    )
    model.load_weights(weights)
    order = torch.arange(B).flip(0)
    mirrored = call([idx[order].contiguous()])[0]
    same = is_like(logits, (B, BLOCK_SIZE, V)) and is_like(mirrored, (B, BLOCK_SIZE, V))
    same = same and bool((mirrored - logits[order]).abs().max() <= THRESHOLD)
    expect.true(
        "rows of the batch are independent",
        same,
        evidence=same,
        rule="Swapping the rows of the batch must swap the rows of the logits: positions count along time, not batch.",
    )


def moved_rows(before, after):
    """Bool (block_size,): which positions of two logits differ; all, when these are no logits."""
    shape = B, BLOCK_SIZE, V
    if not (is_like(before, shape) and is_like(after, shape)):
        return torch.ones(BLOCK_SIZE, dtype=torch.bool)
    return ~((before - after).abs() <= THRESHOLD).all(dim=-1).all(dim=0)


def test_layers(student, draw, expect):
    """Every layer does its own work, in its place, and every parameter receives a gradient."""
    idx, targets = draw.randint(0, V, (B, T)), draw_targets(draw)
    model, weights = loaded_gpt(student, draw)
    n_layer = SIZES["n_layer"]
    for layer in range(n_layer):
        silent = [f"h.{n}.{branch}.c_proj.weight" for n in range(n_layer) if n != layer for branch in ("attn", "mlp")]
        alone = scaled(weights, dict.fromkeys(silent, 0.0))
        model.load_weights(alone)
        expect.close(
            f"logits with layer {layer} alone",
            part(model(idx), 0),
            gpt(idx, alone, N_HEAD),
            rule=f"With every other layer silent, the model must be embedding, block {layer}, last norm, head.",
        )
    model.load_weights(weights)
    wanted = gpt_gradient(weights, idx, targets)
    try:
        student.backward(model, idx, targets, pick=1)
    except StudentError as error:
        expect.true("backward works", False, rule=f"loss.backward() raised {error}.")
        return
    listed, gradients = student.parameters(model), student.gradients(model)
    without = [p["shape"] for p, gradient in zip(listed, gradients, strict=True) if gradient is None]
    expect.true(
        "every parameter has a gradient",
        not without,
        evidence=without,
        rule=f"{len(without)} of {len(gradients)} parameters receive no gradient from the loss: they are never used, or"
        " cut off from it.",
    )
    shared = [g for p, g in zip(listed, gradients, strict=True) if V in p["shape"]]
    if len(shared) == 1 and isinstance(shared[0], torch.Tensor):
        gradient = shared[0] if tuple(shared[0].shape) == (V, C) else shared[0].T
        expect.close(
            "gradient of the shared matrix",
            gradient,
            wanted,
            rule="wte must learn from both its uses, as embedding and as head.",
        )


def gpt_gradient(weights, idx, targets):
    """d loss / d wte, through both uses of wte."""
    wte = weights["wte.weight"].clone().requires_grad_()
    loss = gpt_loss(gpt(idx, weights | {"wte.weight": wte}, N_HEAD), targets)
    return torch.autograd.grad(loss, wte)[0]


def test_causal(student, draw, expect):
    """No logit depends on a later token, every logit depends on every earlier one, in both modes; rows do not mix."""
    idx = draw.randint(0, V, (B, T))
    noise = other_tokens(draw, idx, V)
    model, _ = loaded_gpt(student, draw)
    call = caller(student, model, pick=0)
    expect.tensor("logits", part(model(idx), 0), shape=(B, T, V), dtype=torch.float64)
    expect_causal(expect, call, idx, noise)
    mixed = idx.clone()
    mixed[0] = noise[0]
    before, after = call([idx, mixed])
    alone = is_like(before, (B, T, V)) and is_like(after, (B, T, V))
    alone = alone and bool((before[1] - after[1]).abs().max() <= THRESHOLD)
    expect.true("rows do not mix", alone, evidence=alone, rule="Changing row 0 of the batch changes the logits of row 1.")
    model.train()
    first, second = call([idx, idx])
    still = is_like(first, (B, T, V)) and is_like(second, (B, T, V))
    if still and (first - second).abs().max() <= THRESHOLD:  # else something is dropped at rate 0: another item's
        expect_causal(expect, call, idx, noise, label="train mode: ")


def test_too_long(student, draw, expect):
    """More than block_size tokens raise ValueError, with targets and without; block_size tokens do not."""
    idx, targets = draw.randint(0, V, (B, BLOCK_SIZE + 1)), draw.randint(0, V, (B, BLOCK_SIZE + 1))
    model = new_gpt(student, SIZES)
    model.eval()
    fits = part(model(idx[:, :-1].contiguous()), 0)
    expect.tensor("logits of block_size tokens", fits, shape=(B, BLOCK_SIZE, V))
    too_long, *windows = student.batch(model, [(idx,), (idx[:, 1:].contiguous(),), (idx[:, :-1].contiguous(),)])
    if not isinstance(too_long, StudentError) and all(is_like(part(w, 0), (B, BLOCK_SIZE, V)) for w in windows):
        kept = [name for name, w in zip(("end", "start"), windows, strict=True) if same(part(too_long, 0), part(w, 0))]
        expect.note("what was kept of a longer input", kept)
    rule = "There is no position beyond block_size: refuse a longer input with ValueError, do not guess what to drop."
    expect.raises("T = block_size + 1", ValueError, model, idx, rule=rule)
    expect.raises("T = block_size + 1 with targets", ValueError, model, idx, targets, rule=rule)
    long = {"block_size": 300, "vocab_size": 5, "n_layer": 1, "n_head": 2, "n_embd": 6}
    roomy = new_gpt(student, long)
    roomy.eval()
    fits = part(roomy(draw.randint(0, 5, (1, 300))), 0)
    expect.tensor("logits of 300 tokens", fits, shape=(1, 300, 5), rule="A model with block_size=300 takes 300 tokens.")
    expect.raises("301 tokens, block_size=300", ValueError, roomy, draw.randint(0, 5, (1, 301)), rule=rule)


def test_dropout_modes(student, draw, expect):
    """Dropout acts in train mode only, and is off at 0."""
    idx = draw.randint(0, V, (B, T))
    weights = draw_weights(draw, SIZES)
    expected = gpt(idx, weights, N_HEAD)
    model = prepared(student, new_gpt(student, SIZES, 0.5), weights)
    quiet = [part(result, 0) for result in student.repeat(model, 2, idx)]
    expect.note("two passes in eval mode agree", is_like(quiet[0], (B, T, V)) and same(*quiet))
    rule = "In eval mode a model with dropout=0.5 drops nothing."
    expect.close("logits in eval mode", quiet[0], expected, rule=rule, record=False)
    model.train()
    first, second = (part(result, 0) for result in student.repeat(model, 2, idx))
    drops = is_like(first, (B, T, V)) and is_like(second, (B, T, V)) and (first - second).abs().max() > 1e-6
    expect.true(
        "two passes in train mode differ",
        drops,
        evidence=bool(drops),
        rule="dropout=0.5 and train mode, yet two passes are equal: the rate never reaches a Dropout module.",
    )
    still = prepared(student, new_gpt(student, SIZES, 0.0), weights)
    still.train()
    expect.close(
        "logits in train mode at dropout=0",
        part(still(idx), 0),
        expected,
        record=False,  # what is dropped all the same is a matter of chance
        rule="dropout=0 drops nothing, in either mode.",
    )


# Learning


LEARNER = {"block_size": 8, "vocab_size": 12, "n_layer": 2, "n_head": 3, "n_embd": 24}


class Adam:
    """Adam (Kingma and Ba 2015) on plain tensors; the submission only supplies gradients."""

    def __init__(self, tensors, learning_rate):
        self.tensors = [tensor.clone() for tensor in tensors]
        self.optimizer = torch.optim.Adam(self.tensors, lr=learning_rate)

    def step(self, gradients):
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.grad = gradient
        self.optimizer.step()


def trainer(student, model, learning_rate):
    """A function (idx, targets) -> that takes one step of Adam with the submission's gradients."""
    adam = Adam(student.get_parameters(model), learning_rate)

    def step(idx, targets):
        student.zero_grad(model)
        student.backward(model, idx, targets, pick=1)
        adam.step(student.gradients(model))
        student.set_parameters(model, adam.tensors)

    return step


def judged_losses(model, idx, targets):
    """-log p of every target under the submission's logits, or None when there are no such logits."""
    logits = part(model(idx), 0)
    if not is_like(logits, (*idx.shape, LEARNER["vocab_size"])):
        return None
    return F.cross_entropy(logits.double().flatten(0, 1), targets.flatten(), reduction="none")


def memorable_batch(draw, vocab_size, length):
    """Tokens and targets (4, length) that can be learned by heart; every token of the vocabulary is a target.

    No two rows begin with the same token, so every context is unique.
    """
    idx = torch.stack([draw.permutation(vocab_size) for _ in range(length)], dim=1)[:4].contiguous()
    targets = torch.cat([draw.permutation(vocab_size) for _ in range(-(-idx.numel() // vocab_size))])
    return idx, targets[: idx.numel()].view(idx.shape)


def test_overfit_one_batch(student, draw, expect):
    """A small model learns one batch by heart."""
    size = LEARNER["vocab_size"]
    idx, targets = memorable_batch(draw, size, LEARNER["block_size"])
    model = new_gpt(student, LEARNER)
    model.eval()
    step = trainer(student, model, 1e-2)
    for _ in range(60):
        step(idx, targets)
    losses = judged_losses(model, idx, targets)
    expect.true("the trained model gives logits", losses is not None, rule="The logits have the wrong shape.")
    loss = math.inf if losses is None else losses.mean().item()
    expect.true(
        "loss on the batch after 60 steps",
        loss < 0.15,
        record=False,
        rule=f"After 60 steps on one batch of 32 tokens the loss is still {loss:.2f}; a working model has learned it by"
        " heart (under 0.02). The gradient is wrong somewhere, or part of the model does not learn.",
    )


def test_no_free_lunch(student, draw, expect):
    """Nobody predicts independent random tokens: after training, the loss on new ones is not under ln V.

    The model is trained in train mode, as on rung 6, and judged in both: what leaks in training only is learned there.
    """
    size, length = LEARNER["vocab_size"], LEARNER["block_size"]
    model = new_gpt(student, LEARNER)
    model.train()
    step = trainer(student, model, 1e-2)
    for window in draw.randint(0, size, (60, 16, length + 1)):
        step(window[:, :-1].contiguous(), window[:, 1:].contiguous())
    fresh = draw.randint(0, size, (64, length + 1))
    for mode in ("train", "eval"):
        getattr(model, mode)()
        losses = judged_losses(model, fresh[:, :-1].contiguous(), fresh[:, 1:].contiguous())
        expect.true(f"{mode} mode: logits", losses is not None, rule="The logits have the wrong shape.")
        if losses is None:
            return
        floor = math.log(size) - 6 * losses.std().item() / math.sqrt(losses.numel()) - 1e-6
        expect.true(
            f"{mode} mode: loss on random tokens",
            losses.mean().item() >= floor,
            record=False,
            rule=f"On independent random tokens the loss in {mode} mode is {losses.mean().item():.2f}, under ln {size} ="
            f" {math.log(size):.2f}: too good to be true. The model sees what it should predict.",
        )


def test_shape_table(student, draw, expect):
    """notes/architecture.md names the shapes of this rung."""
    rows = {"token_embedding": "(B, T, C)", "position_embedding": "(T, C)", "logits": "(B, T, V)"}
    shape_table.check(expect, student.files.get("notes/architecture.md"), rows=rows)
