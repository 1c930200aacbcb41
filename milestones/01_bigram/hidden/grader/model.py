"""Judges model/bigram.py: logits of the current token alone, their mean cross-entropy, samples from their softmax."""

import contextlib

import torch
import torch.nn.functional as F

from autograder.grading.expect import is_close
from autograder.grading.student import StudentError

from .needs import need_pair, need_tensor
from .slips import pair_counts, sampled_like, strain, wrong_losses
from .tables import randomised, table_of

MOVED = 1e-6  # rounding moves float32 logits of size 1 by 1e-7 or so, reading another token by far more
LEARNED = 1e-5  # a step down the gradient moves an honest row of logits by 0.01 or more

A_PAIR = "forward must return the pair (logits, loss)."
BTV = "The logits must be floats of shape (B, T, V)."
NO_LOSS = "Without targets the loss must be None."
RAW = "forward must return logits, not probabilities: cross-entropy applies softmax itself."
CURRENT_TOKEN = "The logits at a position must depend on the token there, and on nothing else."
OWN_ROW = "Each token must have logits of its own."
SCALAR = "The loss must be one number."
REGISTERED = "The loss must depend on registered parameters: the optimizer sees no others."
ALL_LEARN = "A step down the gradient must change the logits of every token that occurs in the batch."
CROSS_ENTROPY = "The loss must be the mean cross-entropy of the logits over all B * T positions, in nats."
EXTENDED = "generate must return int64 of shape (B, T + max_new_tokens)."
PROMPT_FIRST = "The result must begin with the prompt, unchanged."
IN_VOCABULARY = "Each new token must be an id of the vocabulary, 0 to V - 1."
SAMPLED = "Each new token must be drawn from softmax(logits) of the token before it."
HONOURED = "Two generators in the same state must give the same text."
DRAWS_ANEW = "Each call must draw anew, with a generator or without."
NOTHING_NEW = "With max_new_tokens=0 the prompt must come back as it is."


def test_logits(student, draw, expect):
    """(B, T, V), the same row for the same token wherever it stands."""
    size = 11
    model, table = randomised(student, draw, size, 1.0)
    for batch, time in ((3, 5), (1, 1), (2, 17)):
        idx = draw.randint(0, size, (batch, time))
        logits, loss = need_pair(expect, f"forward of idx ({batch}, {time})", model(idx), rule=A_PAIR)
        need_tensor(expect, f"logits of idx ({batch}, {time})", logits, shape=(batch, time, size), rule=BTV)
        expect.equal(f"the loss of idx ({batch}, {time}) without targets", loss, None, rule=NO_LOSS)
    expect_rows_of_a_table(student, draw, expect, model, table)
    expect_all_learn(student, draw, expect, model, table)


def expect_rows_of_a_table(student, draw, expect, model, table):
    """The logits at a position are the row of the table (V, V) for the token there."""
    size = len(table)
    idx = draw.randint(0, size, (4, 9))
    logits = model(idx)[0]
    sums = logits.double().sum(-1)
    are_probabilities = bool((logits >= 0).all()) and is_close(sums, torch.ones_like(sums), "sums")
    saw = "No number is negative, and each row adds up to 1."
    expect.true("the logits are not probabilities", not are_probabilities, rule=RAW, saw=saw)
    reads = others_read(student, model, draw.randint(0, size, (2, 4)), size)
    saw = f"The logits at a position change with {' and '.join(reads)}."
    label = "the logits depend on the current token alone"
    expect.true(label, not reads, rule=CURRENT_TOKEN, saw=saw, evidence=reads)
    expect.close("logits", logits, table.to(logits.dtype)[idx], rule=CURRENT_TOKEN, record=False)
    distance = torch.cdist(table, table).add(torch.eye(size)).min().item()  # a row's distance to itself does not count
    saw = "Two tokens have the same logits."
    expect.true("no two tokens have the same logits", distance > MOVED, rule=OWN_ROW, saw=saw)


def others_read(student, model, idx, size):
    """What else than the current token moves the logits at a position, in words."""
    base = model(idx)[0]
    cells = [(row, place) for row in range(idx.shape[0]) for place in range(idx.shape[1])]
    replies = student.batch(model, [(with_other_token(idx, cell, size),) for cell in cells])
    found = set()
    for (row, place), (logits, _) in zip(cells, replies, strict=True):
        moved = (logits - base).abs().amax(-1) > MOVED  # (B, T)
        moved[row, place] = False  # this one may
        words = {
            "earlier tokens": moved[row, place:],
            "later tokens": moved[row, :place],
            "other rows": torch.cat([moved[:row], moved[row + 1 :]]),
        }
        found |= {word for word, part in words.items() if bool(part.any())}
    same = model(torch.full((2, 6), 3))[0]
    if not found and not is_close(same, same[:1, :1].expand_as(same), "zero"):
        found.add("its place")
    return sorted(found)


def with_other_token(idx, cell, size):
    """idx (B, T) with the token at cell (row, place) replaced by another one."""
    other = idx.clone()
    other[cell] = (idx[cell] + 1) % size
    return other


def expect_all_learn(student, draw, expect, model, table):
    """The loss is a number whose gradient reaches the logits of every token."""
    size = len(table)
    every = (torch.arange(size + 2) + 3 * torch.arange(4)[:, None]) % size  # each row holds each token
    targets = draw.randint(1, size, every.shape)
    _, loss = need_pair(expect, "forward with targets", model(every, targets), rule=A_PAIR)
    expect.tensor("the loss", loss, shape=(), rule=SCALAR)
    student.zero_grad(model)
    with contextlib.suppress(StudentError):  # no way back from the loss: then there are no gradients, as judged below
        student.backward(model, every, targets, pick=1)
    gradients = [torch.zeros(()) if g is None else g for g in student.gradients(model)]
    reached = any(bool(g.ne(0).any()) for g in gradients)
    saw = f"After loss.backward() none of {len(gradients)} parameters has a gradient other than 0."
    has_parameters = len(gradients) > 0
    expect.true("the loss reaches a parameter", reached, rule=REGISTERED, saw=saw, evidence=has_parameters)
    student.set_parameters(model, [p - g for p, g in zip(student.get_parameters(model), gradients, strict=True)])
    moved = (table_of(model, size) - table).abs().amax(-1)
    still = [token for token in range(size) if moved[token] < LEARNED]
    saw = f"A step down the gradient leaves the logits of these tokens as they were: {still}."
    expect.true("every token learns", not still, rule=ALL_LEARN, saw=saw, evidence=still)


def test_loss(student, draw, expect):
    """F.cross_entropy of the returned logits, mean over B * T."""
    size, shape = draw.integer(11, 17), (3, 7)  # so that no constant, such as the logarithm of a known V, is right
    for kind, scale in (("mild", 1.0), ("confident", 8.0)):
        model, _ = randomised(student, draw, size, scale)
        idx, targets = draw.randint(0, size, shape), draw.randint(0, size, shape)
        targets[0, 0], targets[-1, -1] = 0, size - 1  # id 0 is a character like all others
        logits, loss = need_pair(expect, f"forward with {kind} logits", model(idx, targets), rule=A_PAIR)
        need_tensor(expect, f"{kind} logits", logits, shape=(*shape, size), rule=BTV)
        differ = float((logits - logits[:1, :1]).abs().max()) > MOVED
        saw = f"All {logits.shape[0] * logits.shape[1]} positions have the same logits, whatever token is there."
        expect.true(f"{kind} logits differ from token to token", differ, rule=OWN_ROW, saw=saw)
        what = f"the loss of {kind} logits"
        need_tensor(expect, what, loss, shape=(), rule=SCALAR)
        right = F.cross_entropy(logits.flatten(0, 1).double(), targets.flatten()).item()
        known = {"right": right, **wrong_losses(logits.double(), targets)}
        expect.note(f"{what} looks like", expect.which_fits(loss, known, tol="f32"))
        expect.number(f"value of {what}", loss.item(), right, tol="f32", rule=CROSS_ENTROPY, record=False)


def test_generate(student, draw, expect):
    """(B, T + n), the prompt kept, each new token drawn from the softmax of the logits of the one before."""
    size, rows, new = 7, 2000, 9
    model, table = randomised(student, draw, size, 1.2)
    prompt = draw.randint(0, size, (rows, 3))
    seeded = student.generator(draw.seed())
    expect_samples(expect, "with a generator", model.generate(prompt, new, generator=seeded), prompt, new, table)
    expect_samples(expect, "without a generator", model.generate(prompt, new), prompt, new, table)
    few = prompt[:50]
    first, again = (model.generate(few, new, generator=student.generator(99)) for _ in range(2))
    saw = "Two generators with the same seed gave different text."
    expect.true("equal generators give equal text", torch.equal(first, again), rule=HONOURED, saw=saw)
    first, then = (model.generate(few, new, generator=seeded) for _ in range(2))
    saw = "Two calls with one generator gave the same text for 50 prompts."
    expect.true("calls with one generator give new text", not torch.equal(first, then), rule=DRAWS_ANEW, saw=saw)
    first, then = (model.generate(few, new) for _ in range(2))
    saw = "Two calls without a generator gave the same text for 50 prompts."
    expect.true("calls without a generator give new text", not torch.equal(first, then), rule=DRAWS_ANEW, saw=saw)
    nothing = model.generate(few, 0)
    expect.equal("generate(prompt, 0)", nothing, few, rule=NOTHING_NEW, record=False)


def expect_samples(expect, how, out, prompt, new, table):
    """out is the prompt and `new` more ids in each row, each drawn from the softmax of the last one's row of table."""
    size, given = len(table), prompt.shape[1]
    shape = len(prompt), given + new
    need_tensor(expect, f"generate {how}", out, shape=shape, dtype=torch.int64, rule=EXTENDED)
    kept = torch.equal(out[:, :given], prompt)
    expect.true(f"generate {how} begins with the prompt", kept, rule=PROMPT_FIRST)
    saw = f"The ids in the result run from {out.min()} to {out.max()}; V is {size}."
    inside = bool(((out >= 0) & (out < size)).all())
    expect.need(f"generate {how} stays in the vocabulary", inside, rule=IN_VOCABULARY, saw=saw)
    how_far = strain(pair_counts(out[:, -new - 1 : -1], out[:, -new:], size), table.softmax(-1))
    like = sampled_like(out, table, new)
    saw = f"The new tokens look like {like}." if like else "The new tokens follow another distribution."
    label = f"generate {how} draws from softmax(logits)"
    expect.true(label, how_far <= 1, rule=SAMPLED, saw=saw, evidence=like, strain=how_far)
