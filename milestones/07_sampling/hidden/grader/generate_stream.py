"""Judges stream (sample/generate.py): the ids of generate, one by one, as they are drawn."""

import torch

from .moods import MOODS, expect_calm, expect_modes_kept, moody_tables
from .returned import need_ids, streamed
from .tables import SHARP, chain_tables, random_tables, table_model, trajectory


def test_stream(student, draw, expect):
    """The ids of generate for this row, lazily, with the same options, ending at a stop token."""
    V, block_size, n = 11, 6, 20
    tables = random_tables(draw, block_size, V)
    prompt = draw.randint(0, V, (1, 4))
    expected = trajectory(tables, prompt[0].tolist(), n)[4:]
    model = table_model(student, tables, sharp=SHARP)
    found = streamed(student, expect, "a stream", model, prompt, n, limit=n + 3)
    rule = "stream must yield max_new_tokens new ids, as ints and in order, with the context of generate."
    expect.equal("a stream: the ids", found, expected, rule=rule)
    expect_lazy(student, expect, tables, prompt, n, expected)
    expect_ids_of_generate(student, draw, expect, tables, n)
    model = table_model(student, chain_tables(8, torch.arange(V).roll(-1)), sharp=SHARP)
    found = streamed(student, expect, "a stop token", model, torch.tensor([[1, 2]]), 9, limit=12, stop_tokens=[5, 0])
    rule = "A stop token must be yielded, and nothing after it."
    expect.equal("a stop token: the ids", found, [3, 4, 5], rule=rule)
    expect_stream_calm(student, draw, expect)


def expect_lazy(student, expect, tables, prompt, n, expected):
    model = table_model(student, tables, sharp=SHARP)
    found = streamed(student, expect, "the beginning of a stream", model, prompt, n, limit=2)
    rule = "stream must yield each id before it computes the next one."
    expect.equal("the number of calls of the model for two ids", student.behind(model).calls, 2, rule=rule)
    rule = "The first ids of a stream must be those of the whole one."
    expect.equal("the beginning of a stream: the ids", found, expected[:2], rule=rule)


def expect_ids_of_generate(student, draw, expect, tables, n):
    """With equal options and equally seeded generators."""
    V, T = tables.shape[-1], 3
    prompt = draw.randint(0, V, (1, T))
    seed = draw.seed()
    for what, options in [
        ("defaults", {}),
        ("all filters", {"temperature": 1.4, "top_k": 6, "top_p": 0.9, "repetition_penalty": 1.5}),
        ("temperature 0", {"temperature": 0.0}),
    ]:
        model = table_model(student, tables)
        seeded = {"generator": student.generator(seed), **options}
        ids = student.sample.generate.generate(model, prompt, n, **seeded)
        need_ids(expect, f"{what}: generate", ids, prompt, n, V)
        seeded = {"generator": student.generator(seed), **options}
        found = streamed(student, expect, f"{what}: stream", model, prompt, n, limit=n + 3, **seeded)
        rule = "With equal options and equally seeded generators stream and generate must give the same ids."
        # Right ways to draw give different ids, so they are not evidence.
        expect.equal(f"{what}: the ids of stream", found, ids[0, T:].tolist(), rule=rule, record=False)


def expect_stream_calm(student, draw, expect):
    """Eval mode and no gradients inside, and the mode as before afterwards."""
    V, T, n = 11, 4, 7
    tables = moody_tables(draw, 6, V)
    prompt = draw.randint(0, V, (1, T))
    model = table_model(student, tables, sharp=SHARP)
    model.train()
    what = "a stream from a model in training mode"
    found = streamed(student, expect, what, model, prompt, n, limit=n + 3)
    by_mood = [trajectory(tables[mood], prompt[0].tolist(), n)[T:] for mood in range(len(MOODS))]
    expect_calm(expect, what, found, by_mood)
    expect_modes_kept(student, expect, what, model, True)
