"""Judges model/cache.py: the same logits and ids with a cache and without, and each position computed once."""

import torch

from autograder.grading.expect import is_close
from milestones.hidden.influence import expect_causal
from milestones.hidden.weights import gpt_weights

from .moods import MOODS, expect_calm, moody_tables
from .returned import need_ids, need_tensor, same_tensor, streamed
from .tables import SHARP, random_tables, table_model, trajectories

GPT_SIZES = {"block_size": 11, "vocab_size": 13, "n_layer": 2, "n_head": 3, "n_embd": 15}

CHUNKS = [
    ("the whole prompt at once", (6,)),
    ("one by one", (1, 1, 1, 1, 1, 1)),
    ("1, 3 and the rest", (1, 3, 5)),
    ("a prompt of 4, then one by one", (4, 1, 1, 1)),
    ("2 and 2 and 2", (2, 2, 2)),
    ("up to block_size", (5, 4, 1, 1)),
]

# A right style may feed a little more than each position once, such as the prompt's last token apart. Without a cache
# the positions of this item would be seven times too many.
ROOM = 2


def loaded_gpt(student, draw, **sizes):
    """The student's GPT in float64 and eval mode under random weights."""
    sizes = GPT_SIZES | sizes
    config = student.keep(student.model.transformer.GPTConfig, **sizes, dropout=0.0)
    model = student.model.transformer.GPT(config)
    model.double()
    model.eval()
    model.load_weights(gpt_weights(draw, **{name: size for name, size in sizes.items() if name != "n_head"}))
    return model


# Inside the model


def test_cache_logits(student, draw, expect):
    """forward(idx, cache=cache) in chunks equals forward of the whole, and each chunk sees all that came before."""
    V, block_size = GPT_SIZES["vocab_size"], GPT_SIZES["block_size"]
    model = loaded_gpt(student, draw)
    for what, chunks in CHUNKS:
        for B in (2, 1, 4):
            idx = draw.randint(0, V, (B, sum(chunks)))
            expect_cached(student, expect, f"{what}, B = {B}", model, idx, chunks)
    expect_causal_cache(student, draw, expect, model)
    for what, T, chunks in [("a first prompt", 6, (4, 2)), ("a second prompt, a new cache", 5, (3, 2))]:
        expect_cached(student, expect, what, model, draw.randint(0, V, (2, T)), chunks)
    deep = loaded_gpt(student, draw, n_layer=4, n_head=5)
    expect_cached(student, expect, "4 layers, 5 heads", deep, draw.randint(0, V, (3, block_size)), (4, 1, 6))
    expect_kept(student, draw, expect, model)


def expect_cached(student, expect, what, model, idx, chunks):
    """Fed in chunks of these lengths with a new cache, the model gives the logits of one full pass over idx (B, T)."""
    full = logits_of(model(idx))
    shape = *idx.shape, GPT_SIZES["vocab_size"]
    rule = "Without a cache, forward must return the logits of all positions."
    need_tensor(expect, f"{what}: the logits without a cache", full, shape=shape, dtype=torch.float64, rule=rule)
    rule = "With a new cache, forward must return for each chunk the logits that one full pass gives at its positions."
    cache = student.keep(model.new_cache, len(idx))
    start = 0
    for length in chunks:
        end = start + length
        logits = logits_of(model(idx[:, start:end].contiguous(), cache=cache))
        expect.close(f"{what}, fed from position {start}: the logit", logits, full[:, start:end], rule=rule)
        start = end


def expect_kept(student, draw, expect, model):
    """A cache keeps what was computed: with other weights from a position on, the earlier ones stay what they were.

    A model that keeps the ids, and computes everything again, gives the logits of one full pass with the new weights.
    One that keeps the old weights as well gives those of a full pass with the old ones.
    """
    idx = draw.randint(0, GPT_SIZES["vocab_size"], (2, 7))
    sizes = {name: size for name, size in GPT_SIZES.items() if name != "n_head"}
    weights = [gpt_weights(draw, **sizes) for _ in range(2)]
    wholes = []
    for given in weights:
        model.load_weights(given)
        wholes.append(logits_of(model(idx)))
    model.load_weights(weights[0])
    cache = student.keep(model.new_cache, len(idx))
    model(idx[:, :6].contiguous(), cache=cache)
    model.load_weights(weights[1])
    last = logits_of(model(idx[:, 6:].contiguous(), cache=cache))
    tensors = all(isinstance(logits, torch.Tensor) and logits.ndim == 3 for logits in (*wholes, last))
    expect.true(
        "what was computed is kept",
        tensors and not any(is_close(last[:, -1], whole[:, -1]) for whole in wholes),
        rule="A cache must keep the keys and values of earlier positions, so that none is computed twice.",
        saw="After six positions the weights were changed. The logits of the seventh are those of a full pass with the"
        " same weights at all seven positions, so all were computed again.",
        record=False,
    )


def logits_of(result):
    """The first of the two values that forward returns; anything else as it is."""
    return result[0] if isinstance(result, list) and len(result) == 2 else result


def expect_causal_cache(student, draw, expect, model):
    """Fed in chunks, too, the model looks at its whole past: else equal logits would say little."""
    V, T = GPT_SIZES["vocab_size"], 7
    idx = draw.randint(0, V, (1, T))
    other = (idx + draw.randint(1, V, (1, T))) % V  # differs from idx at every position

    def in_chunks(inputs):
        outputs = []
        for ids in inputs:
            cache = student.keep(model.new_cache, 1)
            parts = [logits_of(model(chunk.contiguous(), cache=cache)) for chunk in ids.split((3, 3, 1), dim=1)]
            outputs.append(torch.cat(parts, dim=1))
        return outputs

    expect_causal(expect, in_chunks, idx, other, label="with a cache: ")


# In generate


def test_cache_generate(student, draw, expect):
    """The ids don't depend on use_cache: past block_size, for one prompt after another; without it no cache is made."""
    generate = student.sample.generate.generate
    V, block_size, n = 11, 8, 14
    tables = random_tables(draw, block_size, V)
    model = table_model(student, tables, sharp=SHARP, caching=True)
    rule = "With the cache the model must see what it would see without: every token once, in order, at its position."
    for T, length in [(3, 4), (5, n), (1, n), (8, 5), (12, 4)]:
        prompts = draw.randint(0, V, (2, T))
        what = f"block_size = {block_size}, T = {T}, n = {length}"
        ids = generate(model, prompts, length)
        need_ids(expect, what, ids, prompts, length, V)
        expect.equal(f"{what}: the result", ids, trajectories(tables, prompts, length), rule=rule)
    prompts = draw.randint(0, V, (2, 4))
    model = table_model(student, tables, sharp=SHARP, caching=True)
    ids = generate(model, prompts, n, use_cache=False)
    need_ids(expect, "use_cache=False", ids, prompts, n, V)
    rule = "Without the cache the ids must be the same."
    expect.equal("use_cache=False: the result", ids, trajectories(tables, prompts, n), rule=rule)
    rule = "With use_cache=False, new_cache must never be called."
    expect.equal("use_cache=False: the number of caches made", len(student.behind(model).caches), 0, rule=rule)
    expect_cached_options(student, draw, expect)
    expect_cached_gpt(student, draw, expect)


def expect_cached_options(student, draw, expect):
    """With the cache, too: every filter, the stop tokens, the generator, eval mode and no gradients."""
    V, T, n = 11, 3, 12
    tables = random_tables(draw, 9, V)
    prompts = draw.randint(0, V, (4, T))
    seed = draw.seed()
    given = {"temperature": 1.4, "top_k": 6, "top_p": 0.9, "repetition_penalty": 1.8}
    given["stop_tokens"] = draw.permutation(V)[:2].tolist()
    found = []
    for caching in (True, False):
        model = table_model(student, tables, caching=caching)
        ids = student.sample.generate.generate(model, prompts, n, generator=student.generator(seed), **given)
        need_ids(expect, f"all options, a model with{'' if caching else 'out'} new_cache", ids, prompts, n, V)
        found.append(ids)
    expect_same_ids(expect, "all options", *found)
    moods = moody_tables(draw, 12, V)
    model = table_model(student, moods, sharp=SHARP, caching=True)
    model.train()
    what = "a model with new_cache in training mode"
    ids = student.sample.generate.generate(model, prompts, 7)
    need_ids(expect, what, ids, prompts, 7, V)
    expect_calm(expect, what, ids, [trajectories(moods[mood], prompts, 7) for mood in range(len(MOODS))])


def expect_cached_gpt(student, draw, expect):
    """The student's own model, inside block_size and past it."""
    model = loaded_gpt(student, draw)
    V = GPT_SIZES["vocab_size"]
    for T, n in [(3, 6), (4, 15)]:
        what = f"your GPT, T = {T}, n = {n}"
        prompts = draw.randint(0, V, (2, T))
        seed = draw.seed()
        found = []
        for use_cache in (True, False):
            options = {"temperature": 0.8, "generator": student.generator(seed), "use_cache": use_cache}
            ids = student.sample.generate.generate(model, prompts, n, **options)
            need_ids(expect, f"{what}, use_cache={use_cache}", ids, prompts, n, V)
            found.append(ids)
        expect_same_ids(expect, what, *found)


def expect_same_ids(expect, what, cached, uncached):
    expect.true(
        f"{what}: the ids are the same with a cache and without",
        same_tensor(cached, uncached),
        rule="With equal options and equally seeded generators the ids must be the same with a cache and without.",
        saw=f"{what}: with a cache the ids are others than without.",
    )


def test_cache_speed(student, draw, expect):
    """The model computes about T + n positions, not a growing context at every step; stream gives the same ids."""
    V, block_size, T, n = 11, 40, 6, 30
    tables = random_tables(draw, block_size, V)
    prompts = draw.randint(0, V, (1, T))
    expected = trajectories(tables, prompts, n)
    model = table_model(student, tables, sharp=SHARP, caching=True)
    ids = student.sample.generate.generate(model, prompts, n)
    need_ids(expect, "with a cache", ids, prompts, n, V)
    rule = "With a cache the ids must be those that the model gives without."
    expect.equal("with a cache: the result", ids, expected, rule=rule)
    expect.note("no cache was made", not student.behind(model).caches)
    rule = "As long as all tokens fit into block_size, each position must be computed once, not anew at every step."
    expect.below("the number of positions computed", student.behind(model).columns, ROOM * (T + n), rule=rule)
    model = table_model(student, tables, sharp=SHARP, caching=True)
    what = "a stream from a model with new_cache"
    rule = "A stream must give the same ids with a cache and without."
    found = streamed(student, expect, what, model, prompts, n, limit=n + 3)
    expect.equal(f"{what}: the ids", found, expected[0, T:].tolist(), rule=rule)
