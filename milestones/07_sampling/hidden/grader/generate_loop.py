"""Judges the loop of generate (sample/generate.py): shapes, context, stop tokens, generators, modes.

Where ids are compared, the model leaves no choice (tables.py), so that every right way to draw gives the same ones.
"""

import torch

from .moods import MOODS, expect_calm, expect_gradients_on, expect_modes_kept, moody_tables
from .returned import expect_untouched, need_ids, same_tensor
from .signs import expect_reads_the_model
from .tables import SHARP, chain_tables, random_tables, table_model, trajectories


def test_generate_shape(student, draw, expect):
    """int64 (B, T + n), the prompt first, for any B, T and n, by position and with the defaults."""
    V, block_size = 11, 9
    tables = random_tables(draw, block_size, V)
    for B, T, n in [(3, 4, 2), (1, 1, 5), (2, 6, 3), (4, 2, 1), (2, 3, 0), (5, 9, 1)]:
        for dtype in (torch.float64, torch.float32):
            model = table_model(student, tables.to(dtype))
            prompts = draw.randint(0, V, (B, T))
            here = student.put(prompts)
            what = f"generate: B = {B}, T = {T}, n = {n}, {dtype}".replace("torch.", "")
            need_ids(expect, what, student.sample.generate.generate(model, here, n), prompts, n, V)
            expect_untouched(student, expect, what, here, prompts)
    expect_reads_the_model(student, expect)


def test_context(student, draw, expect):
    """The model sees the last block_size ids at every step, and the result has all of them."""
    V, n = 11, 12
    successor = torch.arange(V).roll(-1)
    for tables, T in [
        *((random_tables(draw, 5, V), T) for T in (3, 5, 9)),
        (chain_tables(1, successor), 3),
    ]:
        prompts = draw.randint(0, V, (2, T))
        model = table_model(student, tables, sharp=SHARP)
        what = f"block_size = {len(tables)}, T = {T}, n = {n}"
        ids = student.sample.generate.generate(model, prompts, n)
        need_ids(expect, what, ids, prompts, n, V)
        rule = "The context must be the last block_size ids of the row, the newest included."
        expect.equal(f"{what}: the result", ids, trajectories(tables, prompts, n), rule=rule)


def test_stop_tokens(student, draw, expect):
    """Each row for itself: after its first drawn stop token it repeats that, and the others go on."""
    V = 9
    circle = draw.permutation(V).tolist()  # the model walks round it
    successor = torch.empty(V, dtype=torch.int64)
    successor[torch.tensor(circle)] = torch.tensor(circle).roll(-1)
    model = table_model(student, chain_tables(12, successor), sharp=SHARP)
    zero = circle.index(0)
    # The starts and stops are places on the circle.
    for what, starts, stops, n in [
        ("one stop token, every row meets it", [8, 5, 2, 6], [0], 9),
        ("one stop token, some rows don't meet it", [8, 3, 5], [0], 4),
        ("two stop tokens", [1, 7, 4, 0], [3, 7], 5),
        ("the prompt ends in a stop token", [4, 2], [4], 7),
        ("all rows stop at once", [1, 1, 1], [2], 6),
        ("the stop token is id 0", [zero - 2, zero - 4], [zero], 6),
        ("stop_tokens is empty", [3, 6], [], 4),
        ("a single row stops", [2], [5], 8),
    ]:
        prompts = torch.tensor([[circle[(start - 1) % V], circle[start % V]] for start in starts])
        stop_tokens = [circle[stop % V] for stop in stops]
        ids = student.sample.generate.generate(model, prompts, n, stop_tokens=stop_tokens)
        need_ids(expect, what, ids, prompts, n, V)
        rule = "A row that has drawn a stop token must repeat that token to the end, and the other rows must go on."
        expect.equal(f"{what}: the result", ids, stopped(successor, prompts, stop_tokens, n), rule=rule)


def stopped(successor, prompts, stop_tokens, n):
    """The prompts and n ids more: each row's successors, until it has met a stop token."""
    rows = []
    for row in prompts.tolist():
        done = False
        for _ in range(n):
            row.append(row[-1] if done else int(successor[row[-1]]))
            done = row[-1] in stop_tokens
        rows.append(row)
    return torch.tensor(rows)


def test_generator(student, draw, expect):
    """Equal seeds, equal ids; a used generator goes on; without one torch's global generator serves."""
    V, B, n = 13, 5, 9
    model = table_model(student, random_tables(draw, 14, V))
    prompts = draw.randint(0, V, (B, 4))
    seed = draw.seed()
    world = student.instrument("global_random")

    def ids(what, **options):
        found = student.sample.generate.generate(model, prompts, n, **options)
        need_ids(expect, what, found, prompts, n, V)
        return found

    first = ids("a generator", generator=student.generator(seed))
    again = ids("one with the same seed", generator=student.generator(seed))
    expect.true(
        "two generators with the same seed give the same ids",
        same_tensor(again, first),
        rule="Two generators with the same seed must give the same ids.",
        saw="Two generators with the same seed gave different ids.",
    )
    other = ids("one with another seed", generator=student.generator(seed + 1))
    expect.true(
        "a generator with another seed gives other ids",
        not same_tensor(other, first),
        rule="A generator with another seed must give other ids.",
        saw="Two generators with different seeds gave the same ids.",
    )
    used = student.generator(seed)
    ids("a generator's first use", generator=used)
    expect.true(
        "a generator that is used again gives new ids",
        not same_tensor(ids("its second use", generator=used), first),
        rule="A generator that is used again must go on where it was, and so give new ids.",
        saw="A generator that was used twice gave the same ids both times.",
    )
    expect_world_untouched(expect, world, seed, ids, student.generator(seed))
    expect_world_used(expect, world, seed, ids)
    expect_reads_the_model(student, expect)


def expect_world_untouched(expect, world, seed, ids, generator):
    """With a generator of its own, generate neither draws from torch's global one nor seeds it."""
    world.seed(seed)
    untouched = world.numbers()
    world.seed(seed)
    ids("with the global generator watched", generator=generator)
    expect.true(
        "torch's global generator is left alone",
        same_tensor(world.numbers(), untouched),
        rule="If a generator is given, torch's global one must be neither used nor seeded.",
        saw="A generator was given, and after the call torch's global one went on with other numbers than without it.",
    )


def expect_world_used(expect, world, seed, ids):
    """Without a generator, all randomness comes from torch's global one."""
    world.seed(seed)
    first = ids("no generator")
    expect.true(
        "two calls without a generator give different ids",
        not same_tensor(ids("no generator, again"), first),
        rule="Without a generator every call must give new ids.",
        saw="Two calls without a generator gave the same ids.",
    )
    world.seed(seed)
    expect.true(
        "torch.manual_seed makes the ids repeat",
        same_tensor(ids("no generator, the same global seed"), first),
        rule="Without a generator all randomness must come from torch's global one, which torch.manual_seed seeds.",
        saw="Two calls without a generator gave different ids after the same torch.manual_seed.",
    )


def test_modes(student, draw, expect):
    """Eval mode and no gradients inside; both as before afterwards."""
    V, block_size, n = 9, 12, 7
    tables = moody_tables(draw, block_size, V)
    for training in (True, False):
        what = f"a model in {'training' if training else 'eval'} mode"
        prompts = draw.randint(0, V, (2, 4))
        model = table_model(student, tables, sharp=SHARP)
        model.train(training)
        ids = student.sample.generate.generate(model, prompts, n)
        need_ids(expect, what, ids, prompts, n, V)
        expect_calm(expect, what, ids, [trajectories(tables[mood], prompts, n) for mood in range(len(MOODS))])
        expect_modes_kept(student, expect, what, model, training)
        model = table_model(student, tables)  # not sharp: its logits tell the mood of a plain call
        model.train(training)
        student.sample.generate.generate(model, prompts, 2)
        expect_gradients_on(expect, what, model, tables, prompts[0].tolist(), training)
