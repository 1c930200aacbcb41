"""Judges sample/beam.py: beam_search against a plain one, on models small enough to try every continuation."""

import itertools

import torch

from autograder.grading.expect import is_close

from .moods import MOODS, expect_calm, expect_gradients_on, expect_modes_kept, moody_tables
from .returned import expect_untouched
from .tables import random_tables, table_logits, table_model


def beams(tables, prompt, n, width):
    """[(ids, log-probability)], best first, as beam search must find them; ids are lists with the prompt."""
    found = [(list(prompt), 0.0)]
    for _ in range(n):
        grown = []
        for ids, total in found:
            steps = table_logits(tables, ids[-len(tables) :]).log_softmax(-1).tolist()
            grown += [([*ids, token], total + step) for token, step in enumerate(steps)]
        found = sorted(grown, key=lambda pair: -pair[1])[:width]
    return found


def sequence_score(tables, ids, T):
    """The sum of the log-probabilities of ids[T:], a list."""
    total = 0.0
    for t in range(T, len(ids)):
        total += table_logits(tables, ids[:t][-len(tables) :]).log_softmax(-1)[ids[t]].item()
    return total


# Reading the result


def need_beams(expect, what, result, prompt, n, vocab_size):
    """[(ids as a list, log-probability as a float)] from what beam_search returned; a tensor is as good as a list."""
    length = len(prompt) + n
    entries = [plain(entry) for entry in result] if isinstance(result, list) else []
    problem = None if isinstance(result, list) else "What came back is not a list."
    for place, entry in enumerate(entries):
        problem = problem or entry_problem(entry, place, length, vocab_size)
    expect.need(
        f"{what}: a list of pairs comes back",
        problem is None,
        rule=f"beam_search must return a list of pairs (ids, log_probability): here {length} ids, and a float.",
        saw=f"{what}: {problem}",
        evidence=problem,
    )
    return entries


def plain(entry):
    """The entry with ids and number as Python values, as far as it has them."""
    if not (isinstance(entry, list) and len(entry) == 2):
        return entry
    ids, total = entry
    if isinstance(ids, torch.Tensor):
        ids = ids.reshape(-1).tolist()
    if isinstance(total, torch.Tensor) and total.numel() == 1:
        total = total.item()
    return ids, total


def entry_problem(entry, place, length, vocab_size):
    """What is wrong with the form of one entry, or None."""
    if not isinstance(entry, tuple):
        return f"Entry {place} is not a pair."
    ids, total = entry
    if not (isinstance(ids, list) and all(isinstance(token, int) for token in ids)):
        return f"The ids of entry {place} are not integers."
    if len(ids) != length:
        return f"Entry {place} has {len(ids)} ids, should have {length}, the prompt included."
    if not all(0 <= token < vocab_size for token in ids):
        return f"Entry {place} has an id outside 0 to {vocab_size - 1}."
    if not isinstance(total, float):
        return f"The log-probability of entry {place} is not a float."
    return None


def expect_beams(expect, what, result, tables, prompt, n, width):
    """The pairs are the best ones, sorted, each with the log-probability of its own ids."""
    expected = beams(tables, prompt, n, width)
    pairs = need_beams(expect, what, result, prompt, n, tables.shape[-1])
    rule = "beam_search must return beam_width sequences, or all that there are if they are fewer."
    expect.equal(f"{what}: the number of sequences", len(pairs), len(expected), rule=rule)
    expect_own_ids(expect, what, pairs, prompt)
    totals = [total for _, total in pairs]
    own = [sequence_score(tables, ids, len(prompt)) for ids, _ in pairs]
    rule = "The number of each sequence must be the sum of the log-probabilities of its new ids."
    expect_numbers(expect, f"{what}: the log-probability", totals, own, rule)
    expect.true(
        f"{what}: the best sequence comes first",
        all(a >= b or is_close(a, b, "f32") for a, b in itertools.pairwise(totals)),
        rule="The sequences must come in the order of their log-probabilities, the best one first.",
        saw=f"{what}: a sequence comes before one with a higher log-probability.",
    )
    best = [total for _, total in expected]
    rule = "At each step the beam_width best candidates of all beams together must stay."
    expect_numbers(expect, f"{what}: the log-probability of the best sequences", totals, best, rule)


def expect_own_ids(expect, what, pairs, prompt):
    """Every sequence begins with the prompt, and no two are equal."""
    T = len(prompt)
    expect.true(
        f"{what}: every sequence begins with the prompt",
        all(ids[:T] == list(prompt) for ids, _ in pairs),
        rule="Each ids must begin with the prompt.",
        saw=f"{what}: a sequence does not begin with the prompt.",
    )
    expect.true(
        f"{what}: no sequence comes twice",
        len({tuple(ids) for ids, _ in pairs}) == len(pairs),
        rule="The returned sequences must differ from each other.",
        saw=f"{what}: a sequence comes twice.",
    )


def expect_numbers(expect, what, found, expected, rule):
    """Close to float32 accuracy: summing in float32 is fine."""
    expect.close(what, torch.tensor(found).float(), torch.tensor(expected).float(), rule=rule)


# The items


def test_beam_search(student, draw, expect):
    """All sequences when the beam holds them all, greedy for width 1, and the exact beams in between."""
    V, block_size, n = 5, 7, 3
    search = student.sample.beam.beam_search
    tables = random_tables(draw, block_size, V, scale=1.5)
    prompt = draw.randint(0, V, (2,)).tolist()
    for width in (1, 2, 3, 7, V**n, V**n + 20):
        result = search(table_model(student, tables), torch.tensor([prompt]), n, width)
        expect_beams(expect, f"V = {V}, n = {n}, beam_width = {width}", result, tables, prompt, n, width)
    V, n, prompt = 11, 4, [1, 4]
    tables = misleading_tables(draw, V, n, prompt)
    for steps, width in [(n, 1), (n, 4), (n, 30), (1, 6)]:
        result = search(table_model(student, tables), torch.tensor([prompt]), steps, width)
        expect_beams(expect, f"V = {V}, n = {steps}, beam_width = {width}", result, tables, prompt, steps, width)


def misleading_tables(draw, V, n, prompt):
    """A step that looks best leads where every next step is poor: greedy is not the best, a wider beam is."""

    def gain(tables):
        return beams(tables, prompt, n, 30)[0][1] - beams(tables, prompt, n, 1)[0][1]

    return max((random_tables(draw, 6, V, scale=2.0) for _ in range(20)), key=gain)


def test_beam_context(student, draw, expect):
    """The last block_size ids as context; eval mode, no gradients; modes and prompt as before."""
    V, block_size, n, width = 7, 3, 4, 5
    search = student.sample.beam.beam_search
    tables = random_tables(draw, block_size, V, scale=1.5)
    for T in (2, 5):
        prompts = draw.randint(0, V, (1, T))
        here = student.put(prompts)
        what = f"block_size = {block_size}, T = {T}, n = {n}"
        result = search(table_model(student, tables), here, n, width)
        expect_beams(expect, what, result, tables, prompts[0].tolist(), n, width)
        expect_untouched(student, expect, what, here, prompts)
    tables = moody_tables(draw, block_size, V)
    for training in (True, False):
        prompt = draw.randint(0, V, (2,)).tolist()
        model = table_model(student, tables)
        model.train(training)
        what = f"beams of a model in {'training' if training else 'eval'} mode"
        pairs = need_beams(expect, what, search(model, torch.tensor([prompt]), n, 2), prompt, n, V)
        by_mood = [[ids for ids, _ in beams(tables[mood], prompt, n, 2)] for mood in range(len(MOODS))]
        expect_calm(expect, what, [ids for ids, _ in pairs], by_mood)
        expect_modes_kept(student, expect, what, model, training)
        expect_gradients_on(expect, what, model, tables, prompt, training)
