"""Judges the parameters of a model: how many there are, that head and embedding are one, and how they start."""

import math

from milestones.hidden.loading import count
from milestones.hidden.weights import gpt, gpt_loss

from .lookup import expect_looked_up, expect_looked_up_if_it_runs
from .models import N_HEAD, B, C, T, V, loaded_gpt, logits_of, need_logits, new_gpt

COUNTED = {"block_size": 8, "vocab_size": 101, "n_layer": 2, "n_head": 2, "n_embd": 6}
WIDTH = COUNTED["n_embd"]

FIRST = (
    {"block_size": 32, "vocab_size": 96, "n_layer": 3, "n_head": 4, "n_embd": 48},
    {"block_size": 64, "vocab_size": 65, "n_layer": 4, "n_head": 4, "n_embd": 128},
)
FIRST_B, FIRST_T = 8, 32
NEAR = 0.1  # how far the first loss may be from ln V, as a share of it: the stub and the handout promise 10 %


def test_parameter_count(student, draw, expect):
    """num_parameters counts each Parameter once, and grows by what a layer, a token and a position need."""
    basic = registered(student, expect, "the base model")
    expect.equal(
        "the cost of one more token, in parameters,",
        registered(student, expect, "a model with one more token", vocab_size=102) - basic,
        WIDTH,
        rule="One more token must cost C numbers: embedding and head are one matrix, and the head has no bias.",
    )
    expect.equal(
        "the cost of one more position, in parameters,",
        registered(student, expect, "a model with one more position", block_size=9) - basic,
        WIDTH,
        rule="One more position must cost C numbers, one row of wpe.",
    )
    layer = registered(student, expect, "a model with one more layer", n_layer=3) - basic
    smallest, largest = 12 * WIDTH**2 + 2 * WIDTH, 12 * WIDTH**2 + 13 * WIDTH
    expect.true(
        "one more layer costs a whole block",
        smallest <= layer <= largest,
        rule="Each layer must be a registered module of its own: matrices of 12 C^2 numbers, plus norms and biases.",
        saw=f"One more layer costs {layer} numbers, should cost {smallest} to {largest}.",
        evidence=layer,
    )
    rest = basic - 2 * layer - (COUNTED["vocab_size"] + COUNTED["block_size"]) * WIDTH
    expect.true(
        "beside embeddings and blocks there is only the last norm",
        rest in (WIDTH, 2 * WIDTH),
        rule="Beside embeddings and blocks, only the last norm must have Parameters: a weight, and perhaps a bias.",
        saw=f"Beside embeddings and two blocks there are {rest} numbers, should be {2 * WIDTH} (or {WIDTH}, without"
        " a bias).",
        evidence=rest,
    )
    expect_looked_up_if_it_runs(student, expect, new_gpt(student, COUNTED), COUNTED["vocab_size"])


def registered(student, expect, label, **changes):
    """How many numbers a model's Parameters hold; num_parameters() must say the same."""
    model = new_gpt(student, COUNTED | changes)
    listed, counted = count(student.parameters(model)), model.num_parameters()
    # Two right models may differ in their biases, so the difference is evidence, and the number itself is not.
    expect.note(f"too many in {label}", counted - listed if isinstance(counted, int) else None)
    expect.equal(
        f"num_parameters() of {label}",
        counted,
        listed,
        record=False,
        rule="num_parameters() must be the sum over model.parameters(), where a tied Parameter appears once.",
    )
    return listed


def test_tied(student, draw, expect):
    """Embedding and head are one Parameter, and stay one after a step."""
    idx = draw.randint(0, V, (B, T))
    model, weights = loaded_gpt(student, draw)
    step = 0.3 * draw.randn(V, C)
    parameters = student.parameters(model)
    place = need_shared(expect, parameters)
    expect.equal(
        "the number of Parameters in the shared matrix's memory",
        sum(parameter["storage"] == parameters[place]["storage"] for parameter in parameters),
        1,
        record=False,
        rule="No second Parameter must share the memory of the tied matrix: an optimizer would update it twice.",
    )
    tensors = student.get_parameters(model)
    tensors[place] = tensors[place] + (step if tuple(tensors[place].shape) == (V, C) else step.T)
    student.set_parameters(model, tensors)
    moved = weights | {"wte.weight": weights["wte.weight"] + step}
    expect.close(
        "logits after a step on the shared matrix",
        logits_of(model(idx)),
        gpt(idx, moved, N_HEAD),
        rule="After a step on the shared matrix both the embedding and the head must use the new numbers.",
    )


def need_shared(expect, parameters):
    """The place of the one Parameter with a side of length V, which must be a matrix (V, C) or (C, V)."""
    places = [place for place, parameter in enumerate(parameters) if V in parameter["shape"]]
    shapes = [parameters[place]["shape"] for place in places]
    rule = "Embedding and head must be one Parameter, (V, C): the only one with a side of length vocab_size."
    expect.need(
        "one Parameter has a side of length vocab_size",
        len(places) == 1,
        rule=rule,
        saw=f"{len(places)} Parameters have a side of length vocab_size, should be 1.",
        evidence=shapes,
    )
    expect.need(
        "the Parameter over the vocabulary is a matrix (V, C)",
        tuple(shapes[0]) in ((V, C), (C, V)),
        rule=rule,
        saw=f"The only Parameter with a side of length vocab_size has shape {tuple(shapes[0])}.",
    )
    return places[0]


def test_first_loss(student, draw, expect):
    """A new model knows nothing: its first loss is within 10 % of ln V."""
    for sizes in FIRST:
        vocab_size = sizes["vocab_size"]
        idx = draw.randint(0, vocab_size, (FIRST_B, FIRST_T))
        targets = draw.randint(0, vocab_size, (FIRST_B, FIRST_T))
        model = new_gpt(student, sizes)
        model.eval()
        logits = logits_of(model(idx, targets))
        setting = f"(V = {vocab_size}, C = {sizes['n_embd']})"
        need_logits(expect, f"logits of a new model {setting}", logits, (*idx.shape, vocab_size), dtype=None)
        loss, knows_nothing = gpt_loss(logits, targets).item(), math.log(vocab_size)
        rule = f"A new model must know nothing: its first loss must be within 10 % of ln V, {knows_nothing:.2f} here."
        # The loss itself differs from one initialisation to the next, so it is not recorded.
        low, high = (1 - NEAR) * knows_nothing, (1 + NEAR) * knows_nothing
        expect.above(f"the loss of a new model {setting}", loss, low, rule=rule, record=False)
        expect.below(f"the first loss {setting}", loss, high, rule=rule, record=False)
    expect_looked_up(student, expect, model, vocab_size)
