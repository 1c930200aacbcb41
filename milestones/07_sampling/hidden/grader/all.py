"""Hidden grader of rung 7: filters, generate, stream, beam search, and the KV cache.

Nothing is judged by exact tokens of a seed. Draws are compared with the exact distribution, and where a single
trajectory is asked for, the model's logits leave no choice. The models are tables (instruments/table_model.py): the
logits after a context are a sum with one term for each token at its position, which this side recomputes.
"""

import contextlib
import itertools
import math

import torch

from milestones.hidden.chi_square import chi_square_rejects, chi_square_strain
from milestones.hidden.weights import gpt_weights
from autograder.grading.student import StudentError

INF = float("inf")
ROWS = 4000  # draws for one comparison with a distribution
SHARP = 40.0  # the largest logit of a model that leaves no choice; the other tokens together get 1e-16


# What the filters must do, in float64


def keep_largest(logits, k):
    """logits (..., V), k < V, no ties at the boundary."""
    return logits.masked_fill(logits < logits.sort(dim=-1, descending=True).values[..., k - 1 : k], -INF)


def keep_nucleus(logits, p):
    """A token stays if the more probable ones hold less than p; the most probable one always stays."""
    probabilities = logits.softmax(dim=-1)
    larger = probabilities[..., None, :] > probabilities[..., :, None]
    above = (larger * probabilities[..., None, :]).sum(dim=-1)
    return logits.masked_fill((above >= p) & larger.any(dim=-1), -INF)


def penalised(logits, seen, penalty):
    """seen: bool like logits."""
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def seen_in(ids, vocab_size):
    """Bool (..., V): which tokens occur in ids (..., N)."""
    return (ids[..., None] == torch.arange(vocab_size)).any(dim=-2)


ORDER = ("penalty", "temperature", "top-k", "top-p")


def pipeline(logits, seen, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, order=ORDER):
    """Probabilities (..., V) after the filters in this order."""
    for step in order:
        if step == "penalty":
            logits = penalised(logits, seen, penalty)
        elif step == "temperature":
            logits = logits / temperature
        elif step == "top-k" and top_k is not None:
            logits = keep_largest(logits, top_k)
        elif step == "top-p" and top_p is not None:
            logits = keep_nucleus(logits, top_p)
    return logits.softmax(dim=-1)


# Table models


def random_tables(draw, block_size, vocab_size, scale=1.0):
    """Float64 (block_size, V, V); the sum of a full context has a standard deviation of `scale`."""
    return draw.randn(block_size, vocab_size, vocab_size) * scale / math.sqrt(block_size)


def table_logits(tables, context):
    """Logits (V,) after the context, a list of at most block_size ids."""
    return tables[torch.arange(len(context)), torch.tensor(context)].sum(dim=0)


def trajectory(tables, prompt, n, window=None):
    """The prompt (a list) and the n ids that a sharp model must give; `window(ids)` chooses the context."""
    ids = list(prompt)
    for _ in range(n):
        context = ids[-len(tables) :] if window is None else window(ids)
        ids.append(int(table_logits(tables, context).argmax()))
    return ids


def trajectories(tables, prompts, n):
    return torch.tensor([trajectory(tables, row, n) for row in prompts.tolist()])


def table_model(student, tables, **options):
    """The instrument; tables (block_size, V, V), or (4, block_size, V, V) for eval/training times no grad/grad."""
    return student.instrument("table_model", tables if tables.ndim == 4 else tables[None], **options)


# Looking at what came back


def is_tensor(value, shape, dtype=None):
    return isinstance(value, torch.Tensor) and tuple(value.shape) == tuple(shape) and dtype in (None, value.dtype)


def probabilities(expect, what, out, logits, *, rule):
    """softmax of a filter's output in float64, checked for shape and dtype; zeros where it is unusable.

    Any constant may have been added to a row: it changes no probability.
    """
    expect.tensor(what, out, shape=logits.shape, dtype=logits.dtype, finite=False, rule=rule)
    usable = is_tensor(out, logits.shape) and out.is_floating_point()
    return out.double().softmax(dim=-1) if usable else torch.zeros(logits.shape, dtype=torch.float64)


def expect_filtered(expect, what, out, logits, expected, *, rule):
    """`out` keeps exactly the tokens that `expected` (logits with -inf) keeps, with its probabilities."""
    found = probabilities(expect, what, out, logits, rule=rule)
    expect.equal(f"{what}: tokens kept", found > 0, expected > -INF, rule=rule)
    story = "The right tokens are kept, but their probabilities don't share out 1 in the old proportions."
    expect_probabilities(expect, what, found, expected.double().softmax(dim=-1), rule=story)


def expect_probabilities(expect, what, found, wanted, *, rule):
    """Close to float32 accuracy, also for float64 logits: a Python number that meets a tensor may become float32."""
    expect.close(f"{what}: probabilities", found.float(), wanted.float(), rule=rule)


def expect_ids(expect, what, ids, prompts, n, vocab_size):
    """`ids` is int64 (B, T + n), begins with the prompts, and holds ids of the vocabulary; None where it doesn't."""
    B, T = prompts.shape
    rule = "generate returns the prompt and exactly max_new_tokens more ids for each row: (B, T + n), int64."
    expect.tensor(what, ids, shape=(B, T + n), dtype=torch.int64, rule=rule)
    if not is_tensor(ids, (B, T + n), torch.int64):
        return None
    rule = "The result begins with the prompt, unchanged."
    expect.equal(f"{what}: its first columns", ids[:, :T], prompts, rule=rule, record=False)
    inside = bool(((ids >= 0) & (ids < vocab_size)).all())
    expect.true(f"{what}: ids of the vocabulary", inside, rule=f"There are ids outside 0 to {vocab_size - 1}.")
    return ids if inside and bool((ids[:, :T] == prompts).all()) else None


def cells(new, vocab_size):
    """How often each combination of the columns of new (N, n) occurs: (V ** n,)."""
    places = vocab_size ** torch.arange(new.shape[1]).flip(0)
    return torch.bincount((new * places).sum(dim=1), minlength=vocab_size ** new.shape[1]).double()


def joint(next_probabilities, prompt, n):
    """The exact distribution over all continuations by n ids, as in `cells`: (V ** n,)."""
    here = next_probabilities(prompt)
    if n == 1:
        return here
    return torch.cat([p * joint(next_probabilities, [*prompt, token], n - 1) for token, p in enumerate(here)])


def best_fit(counts, distributions):
    """The name of the most likely one of the named distributions, or None if even that one doesn't fit."""
    likelihoods = {}
    for name, distribution in distributions.items():
        log = distribution.log()
        likelihoods[name] = torch.where(counts > 0, counts * log, 0.0).sum().item()
    # Orders of filters that commute differ by rounding only: the first of the equally likely ones is the name.
    best = next(name for name, value in likelihoods.items() if value >= max(likelihoods.values()) - 1e-6)
    return None if chi_square_rejects(counts, distributions[best]) else best


def expect_distribution(expect, what, new, vocab_size, distributions, *, rule):
    """The rows of new (N, n) follow the first of the named distributions; the others only name what went wrong."""
    if new is None:
        expect.true(what, False, rule="There is nothing to count.")
        return
    counts = cells(new, vocab_size)
    fits = best_fit(counts, distributions)
    right = next(iter(distributions.values()))
    story = f" {fits}." if fits else ""
    strain = chi_square_strain(counts, right)
    rule = f"{rule} In {len(new)} draws it does not.{story}"
    expect.true(what, strain <= 1, rule=rule, evidence=fits, strain=strain)


# Filters


def distinct_logits(draw, *shape):
    """Float64 (..., V) within ±9: in each row a random order of values that lie well apart."""
    rows, vocab_size = math.prod(shape[:-1]), shape[-1]
    steps = 0.25 + draw.rand(rows, vocab_size)
    values = steps.cumsum(dim=1) - steps.sum(dim=1, keepdim=True) * draw.rand(rows, 1)
    order = torch.stack([draw.permutation(vocab_size) for _ in range(rows)])
    return values.gather(1, order).reshape(shape)


SHAPES = [(7,), (3, 8), (2, 3, 11), (4, 1, 5)]


def test_temperature(student, draw, expect):
    """softmax of the result is softmax(logits / temperature); at 0 the largest logit has all of it."""
    apply = student.sample.filters.apply_temperature
    for shape in SHAPES:
        for temperature in (1.0, 0.5, 2, draw.integer(60, 90) / 100, draw.integer(130, 190) / 100):
            for dtype in (torch.float64, torch.float32):
                logits = distinct_logits(draw, *shape).to(dtype)
                what = f"temperature {temperature}, logits {shape}, {dtype}".replace("torch.", "")
                rule = "The logits are divided by the temperature: below 1 that makes the distribution sharper."
                out = apply(logits, temperature)
                found = probabilities(expect, what, out, logits, rule=rule)
                wanted = (logits.double() / temperature).softmax(dim=-1)
                expect_probabilities(expect, what, found, wanted, rule=rule)
    rule = "At temperature 0 only the largest logit of each row stays; all others become -inf."
    for shape in SHAPES:
        logits = distinct_logits(draw, *shape)
        for zero in (0.0, 0):
            expect_filtered(
                expect, f"temperature {zero!r}, {shape}", apply(logits, zero), logits, largest(logits), rule=rule
            )
        single = logits.float()
        expect_filtered(
            expect, f"temperature 0, {shape}, float32", apply(single, 0.0), single, largest(single), rule=rule
        )
    close = torch.tensor([1.0, 2.0, 2.0 + 1e-6, -INF, 0.5], dtype=torch.float64)
    rule += " Here two logits differ by only 0.000001, and still one is larger."
    expect_filtered(expect, "temperature 0, a close second", apply(close, 0.0), close, largest(close), rule=rule)
    tied = torch.tensor([[3.0, 1.0, 3.0, 2.0], [-1.0, -1.0, -5.0, -1.0]], dtype=torch.float64)
    found = probabilities(expect, "temperature 0, ties", apply(tied, 0.0), tied, rule=rule)
    rule = "Where several logits are equally large, one or all of them stay, and nothing else."
    expect_between(expect, "temperature 0, ties", found, tied == tied.max(dim=-1, keepdim=True).values, 1, rule=rule)


def largest(logits):
    return logits.masked_fill(logits < logits.max(dim=-1, keepdim=True).values, -INF)


def expect_between(expect, what, found, allowed, at_least, *, rule, always=None):
    """Probabilities `found` lie on `allowed` tokens only, on at least so many in each row, and on all of `always`."""
    kept = found > 0
    held = bool((~kept | allowed).all()) and bool((kept.sum(dim=-1) >= at_least).all())
    if always is not None:
        held = held and bool((kept | ~always).all())
    ones = bool((found.sum(dim=-1) - 1).abs().max() < 1e-9)
    # Which of the equal ones stay is a matter of style: only the verdict is evidence.
    expect.true(f"{what}: tokens kept", held and ones, rule=rule, evidence=held and ones)


def test_top_k(student, draw, expect):
    """The k largest logits of each row keep their proportions, and every other token has probability 0."""
    top_k = student.sample.filters.top_k
    rule = "Of each row the k largest logits stay, and no other token can be drawn."
    for shape in SHAPES:
        vocab_size = shape[-1]
        for k in dict.fromkeys((1, 2, draw.integer(3, vocab_size - 2), vocab_size - 1)):
            for dtype in (torch.float64, torch.float32):
                logits = distinct_logits(draw, *shape).to(dtype)
                what = f"k = {k}, logits {shape}, {dtype}".replace("torch.", "")
                expect_filtered(expect, what, top_k(logits, k), logits, keep_largest(logits, k), rule=rule)
    low = distinct_logits(draw, 2, 6) - 40
    why_low = "A removed token still has a probability when the logits that stay are low."
    expect_filtered(expect, "k = 2, low logits", top_k(low, 2), low, keep_largest(low, 2), rule=why_low)
    logits = distinct_logits(draw, 3, 8)
    for k in (None, 8, 11):
        why_all = f"k = {k} keeps all 8 tokens."
        expect_filtered(expect, f"k = {k}, V = 8", top_k(logits, k), logits, logits, rule=why_all)
    holes = logits.masked_fill(logits < logits.mean(dim=-1, keepdim=True), -INF)
    why_holes = "Some tokens are at -inf already, and stay there."
    for k in (1, 7):
        expected = keep_largest(holes, k) if k == 1 else holes
        expect_filtered(expect, f"k = {k}, tokens at -inf", top_k(holes, k), holes, expected, rule=why_holes)
    tied = torch.tensor([[2.0, 1.0, 1.0, 3.0, 0.0, 1.0], [5.0, 4.0, 5.0, 1.0, 5.0, 5.0]], dtype=torch.float64)
    kth = tied.sort(dim=-1, descending=True).values[:, 2:3]
    found = probabilities(expect, "k = 3, ties", top_k(tied, 3), tied, rule=rule)
    rule = "Where several logits equal the 3rd largest, some or all of them stay, at least 3 tokens in all."
    expect_between(expect, "k = 3, ties", found, tied >= kth, 3, rule=rule, always=tied > kth)


def test_top_p(student, draw, expect):
    """The most probable tokens stay, up to and including the one that crosses p."""
    top_p = student.sample.filters.top_p
    rule = "Going down from the most probable token, the one with which the sum reaches p is the last that stays."
    base = torch.tensor([0.5, 0.41, 0.09], dtype=torch.float64).log()
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        logits = base[order]
        for p in (0.9, 0.45, 0.95):
            what = f"probabilities {[round(q, 2) for q in logits.exp().tolist()]}, p = {p}"
            expect_filtered(expect, what, top_p(logits, p), logits, keep_nucleus(logits, p), rule=rule)
    for shape in SHAPES:
        for p in (0.15, 0.5, draw.integer(60, 80) / 100, 0.93):
            logits = away_from_boundary(draw, shape, p)
            for dtype in (torch.float64, torch.float32):
                given = logits.to(dtype)
                what = f"p = {p}, logits {shape}, {dtype}".replace("torch.", "")
                expect_filtered(expect, what, top_p(given, p), given, keep_nucleus(given, p), rule=rule)
    logits = distinct_logits(draw, 2, 6) / 2
    for p, expected in [(0.0, largest(logits)), (1e-6, largest(logits)), (1.0, logits), (1, logits)]:
        if p == 1 and expect.recording:
            continue  # whether a running sum reaches 1 hangs on its last bit, which differs from machine to machine
        why_end = f"p = {p} keeps {'all tokens' if p else 'the most probable token, and nothing else'}."
        expect_filtered(expect, f"p = {p!r}", top_p(logits, p), logits, expected, rule=why_end)
    low = away_from_boundary(draw, (2, 6), 0.6) - 40
    why_low = "A removed token still has a probability when the logits that stay are low."
    expect_filtered(expect, "p = 0.6, low logits", top_p(low, 0.6), low, keep_nucleus(low, 0.6), rule=why_low)
    holes = keep_largest(away_from_boundary(draw, (3, 8), 0.7, first=keep_half), 4)
    why_holes = "Some tokens are at -inf already: they have no probability, and stay there."
    expect_filtered(
        expect, "p = 0.7, tokens at -inf", top_p(holes, 0.7), holes, keep_nucleus(holes, 0.7), rule=why_holes
    )


def keep_half(logits):
    return keep_largest(logits, logits.shape[-1] // 2)


def away_from_boundary(draw, shape, p, first=lambda logits: logits):
    """Logits of this shape; in each row no running sum of the sorted probabilities of first(logits) is near p."""
    rows, vocab_size = math.prod(shape[:-1]), shape[-1]
    spread = torch.tensor([0.3, 0.6, 0.9], dtype=torch.float64).repeat(2 * rows)[:, None]  # nuclei of all sizes
    many = distinct_logits(draw, 6 * rows, vocab_size) * spread
    sums = first(many).softmax(dim=-1).sort(dim=-1, descending=True).values.cumsum(dim=-1)
    distance = (sums - p).abs().amin(dim=-1)
    best = (distance > 0.01).long().sort(descending=True, stable=True).indices[:rows]
    return many[best].reshape(shape)


def test_repetition_penalty(student, draw, expect):
    """Seen tokens fall by the CTRL rule, once each and per row; the others keep their logits."""
    penalise = student.sample.filters.repetition_penalty
    for shape, N in [((7,), 3), ((3, 8), 5), ((4, 1, 5), 3), ((2, 3, 11), 4)]:
        for penalty in (1.2, 3.0, draw.integer(150, 250) / 100):
            for dtype in (torch.float64, torch.float32):
                logits = distinct_logits(draw, *shape).to(dtype)
                ids = draw.randint(0, shape[-1], (*shape[:-1], N))
                ids[..., -1] = ids[..., 0]  # one token occurs twice
                what = f"penalty {penalty}, logits {shape}, {dtype}".replace("torch.", "")
                expect_penalised(expect, what, penalise(logits, ids, penalty), logits, ids, penalty)
    logits = torch.tensor([[2.0, -1.0, 0.0, 0.5, -3.0]], dtype=torch.float64)
    for what, ids in [
        ("one positive token", [[0]]),
        ("one negative token", [[1]]),
        ("a logit of 0", [[2]]),
        ("a token seen four times", [[3, 3, 3, 3]]),
        ("every token", [[0, 1, 2, 3, 4]]),
    ]:
        ids = torch.tensor(ids)
        expect_penalised(expect, what, penalise(logits, ids, 2.0), logits, ids, 2.0)
    ids = draw.randint(0, 5, (1, 3))
    out = penalise(logits, ids, 1.0)
    found = probabilities(expect, "penalty 1.0", out, logits, rule="A penalty of 1 changes nothing.")
    expect_probabilities(expect, "penalty 1.0", found, logits.softmax(-1), rule="A penalty of 1 changes nothing.")
    holes = torch.tensor([[2.0, -INF, 1.0, -1.0]], dtype=torch.float64)
    ids = torch.tensor([[1, 0]])
    expect_penalised(expect, "a token at -inf", penalise(holes, ids, 2.0), holes, ids, 2.0)


def expect_penalised(expect, what, out, logits, ids, penalty):
    seen = seen_in(ids, logits.shape[-1])
    rule = "A seen token's positive logit is divided by the penalty and a negative one multiplied, once, in its own row."
    found = probabilities(expect, what, out, logits, rule=rule)
    wanted = penalised(logits.double(), seen, penalty).softmax(dim=-1)
    expect_probabilities(expect, what, found, wanted, rule=rule)


def test_filters_untouched(student, draw, expect):
    """No filter writes into its input, and each keeps shape and dtype."""
    filters = student.sample.filters
    ids = draw.randint(0, 7, (2, 3, 4))
    idle = []
    for what, function, arguments in [
        ("apply_temperature", filters.apply_temperature, (0.5,)),
        ("apply_temperature at 0", filters.apply_temperature, (0.0,)),
        ("top_k", filters.top_k, (2,)),
        ("top_p", filters.top_p, (0.6,)),
        ("repetition_penalty", filters.repetition_penalty, (ids, 1.5)),
    ]:
        for dtype in (torch.float64, torch.float32):
            logits = distinct_logits(draw, 2, 3, 7).to(dtype)
            here = student.put(logits)
            there = [student.put(a) if isinstance(a, torch.Tensor) else a for a in arguments]
            out = function(here, *there)
            label = f"{what}, {str(dtype).removeprefix('torch.')}"
            expect.tensor(label, out, shape=logits.shape, dtype=dtype, finite=False, rule="Same shape, same dtype.")
            idle.append(same_tensor(out, logits))
            same = same_tensor(student.value(here), logits)
            rule = f"{what} wrote into the logits that it was given; the caller may need them again."
            expect.true(f"{label}: input afterwards", same, rule=rule, evidence=same)
            if arguments[0] is ids:
                same = same_tensor(student.value(there[0]), ids)
                expect.true(f"{label}: ids afterwards", same, rule=f"{what} wrote into previous_ids.", evidence=same)
    expect.true(
        "the filters do something", not all(idle), rule="Every filter returned its input as it was.", record=False
    )


def same_tensor(value, expected):
    return is_tensor(value, expected.shape, expected.dtype) and bool((value == expected).all())


# generate: what is drawn


def test_generate_shape(student, draw, expect):
    """int64 (B, T + n), the prompt first, for any B, T and n, by position and with the defaults."""
    generate = student.sample.generate.generate
    V, block_size = 11, 9
    tables = random_tables(draw, block_size, V)
    for B, T, n in [(3, 4, 2), (1, 1, 5), (2, 6, 3), (4, 2, 1), (2, 3, 0), (5, 9, 1)]:
        for dtype in (torch.float64, torch.float32):
            model = table_model(student, tables.to(dtype))
            prompts = draw.randint(0, V, (B, T))
            here = student.put(prompts)
            what = f"generate: B = {B}, T = {T}, n = {n}, {dtype}".replace("torch.", "")
            expect_ids(expect, what, generate(model, here, n), prompts, n, V)
            same = same_tensor(student.value(here), prompts)
            rule = "generate changed the prompt tensor that it was given."
            expect.true(f"{what}: prompt afterwards", same, rule=rule, evidence=same)


def plain(tables, **options):
    """next_probabilities for `joint`: the right context, and these filters."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        return pipeline(logits, seen_in(torch.tensor(ids), len(logits)), **options)

    return next_probabilities


def on_logits(tables, function):
    """next_probabilities where `function` turns the right logits into probabilities."""
    return lambda ids: function(table_logits(tables, ids[-len(tables) :]))


def one_hot(index, like):
    return (torch.arange(len(like)) == index).to(like.dtype)


def sampling_candidates(tables, temperature):
    """The right distribution first, then what common mistakes give, each with its story."""
    t = temperature
    return {
        "": plain(tables, temperature=t),
        "They fit logits that are multiplied by the temperature": plain(tables, temperature=1 / t),
        "They fit temperature 1": plain(tables),
        "They fit logits that are divided by the temperature twice": plain(tables, temperature=t * t),
        "It is always the most probable token": on_logits(tables, lambda x: one_hot(x.argmax(), x)),
        "It is always the least probable token": on_logits(tables, lambda x: one_hot(x.argmin(), x)),
        "All tokens come equally often": on_logits(tables, lambda x: torch.ones_like(x) / len(x)),
        "They fit a softmax of the softmax": on_logits(tables, lambda x: (x / t).softmax(-1).softmax(-1)),
        "They fit softmax first, temperature after it": on_logits(tables, lambda x: (x.softmax(-1) / t).softmax(-1)),
        "They fit the logits of the first position": lambda ids: (
            table_logits(tables, ids[-len(tables) :][:1]) / t
        ).softmax(-1),
        "They fit the logits of the last position but one": lambda ids: (
            table_logits(tables, ids[-len(tables) :][:-1]) / t
        ).softmax(-1),
        "They fit logits of the last token alone": lambda ids: (table_logits(tables, ids[-1:]) / t).softmax(-1),
    }


def distributions(candidates, prompt, n):
    return {name: joint(function, prompt, n) for name, function in candidates.items()}


def sample(student, expect, what, model, prompt, n, vocab_size, draw, rows=ROWS, **options):
    """The new ids (rows, n) that generate draws after one prompt, given to every row; None if unusable."""
    prompts = torch.tensor(prompt).expand(rows, len(prompt)).contiguous()
    generator = student.generator(draw.seed())
    ids = student.sample.generate.generate(model, prompts, n, generator=generator, **options)
    ids = expect_ids(expect, what, ids, prompts, n, vocab_size)
    return None if ids is None else ids[:, len(prompt) :]


def test_sampling(student, draw, expect):
    """Two new ids follow the exact joint distribution; rows and steps are independent."""
    V, block_size, n = 5, 6, 2
    tables = random_tables(draw, block_size, V, scale=1.6)
    model = table_model(student, tables)
    prompt = draw.randint(0, V, (3,)).tolist()
    rule = "The ids should follow softmax(logits / temperature) of the last position."
    for temperature in (1.0, 0.6, 1.7):
        what = f"temperature {temperature}"
        new = sample(student, expect, what, model, prompt, n, V, draw, temperature=temperature)
        known = distributions(sampling_candidates(tables, temperature), prompt, n)
        expect_distribution(expect, f"{what}: draws", new, V, known, rule=rule)
    expect_independent_rows(student, draw, expect, tables, prompt)
    expect_independent_steps(student, draw, expect, V)
    prompts = draw.randint(0, V, (4, 3))
    ids = student.sample.generate.generate(model, prompts, 3, temperature=0)
    ids = expect_ids(expect, "temperature 0", ids, prompts, 3, V)
    rule = "At temperature 0 each id is the most probable one."
    expect.equal("temperature 0: ids", ids, trajectories(tables, prompts, 3), rule=rule)


def expect_independent_rows(student, draw, expect, tables, prompt):
    V = tables.shape[-1]
    new = sample(student, expect, "neighbouring rows", table_model(student, tables), prompt, 1, V, draw)
    alone = plain(tables)(prompt)
    pairs = None if new is None else new.reshape(-1, 2)
    known = {"": torch.outer(alone, alone).flatten(), "Neighbours are always equal": torch.diag(alone).flatten()}
    rule = "Each row of a batch is drawn for itself: what one row gets says nothing about its neighbour."
    expect_distribution(expect, "neighbouring rows: draws", pairs, V, known, rule=rule)


def expect_independent_steps(student, draw, expect, V):
    """With logits that do not depend on the context, one step says nothing about the next."""
    logits = torch.linspace(-1, 1, V, dtype=torch.float64)[draw.permutation(V)]
    tables = torch.zeros(9, V, V, dtype=torch.float64)
    tables[0] = logits
    new = sample(student, expect, "successive steps", table_model(student, tables), [2, 0], 2, V, draw)
    alone = logits.softmax(-1)
    known = {"": torch.outer(alone, alone).flatten(), "Both steps draw the same id": torch.diag(alone).flatten()}
    rule = "Each step draws anew: here the logits are always the same, so one id says nothing about the next."
    expect_distribution(expect, "successive steps: draws", new, V, known, rule=rule)


def with_penalty(tables, penalty, ids_of):
    """next_probabilities with the penalty on the tokens of `ids_of(ids)`."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        looked_at = torch.tensor(ids_of(ids), dtype=torch.int64)
        return penalised(logits, seen_in(looked_at, len(logits)), penalty).softmax(-1)

    return next_probabilities


def with_rule(tables, rule):
    """next_probabilities where the seen tokens get `rule(logits)`."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        return torch.where(seen_in(torch.tensor(ids), len(logits)), rule(logits), logits).softmax(-1)

    return next_probabilities


def repeatedly_penalised(tables, penalty):
    """next_probabilities with the penalty once for every occurrence."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        times = torch.bincount(torch.tensor(ids), minlength=len(logits))
        return torch.where(logits > 0, logits / penalty**times, logits * penalty**times).softmax(-1)

    return next_probabilities


def test_filtered_sampling(student, draw, expect):
    """Each option alone gives its exact distribution; the penalty looks at the prompt and at the new ids."""
    V, n = 6, 2
    tables = random_tables(draw, 7, V, scale=1.5)
    model = table_model(student, tables)
    prompt = draw.randint(0, V, (3,)).tolist()
    for k in (2, 4):
        new = sample(student, expect, f"top_k = {k}", model, prompt, n, V, draw, top_k=k)
        known = {
            "": plain(tables, top_k=k),
            "The draws fit all tokens: top_k is not applied": plain(tables),
            "The draws fit k + 1": plain(tables, top_k=k + 1),
            "The draws fit k - 1": plain(tables, top_k=k - 1),
        }
        rule = "The ids should follow the softmax over the k largest logits."
        expect_distribution(expect, f"top_k = {k}: draws", new, V, distributions(known, prompt, n), rule=rule)
    for p in (0.5, 0.8):
        new = sample(student, expect, f"top_p = {p}", model, prompt, n, V, draw, top_p=p)
        known = {
            "": plain(tables, top_p=p),
            "The draws fit all tokens: top_p is not applied": plain(tables),
            "They fit 1 - p": plain(tables, top_p=1 - p),
        }
        rule = "The ids should follow the softmax over the nucleus."
        expect_distribution(expect, f"top_p = {p}: draws", new, V, distributions(known, prompt, n), rule=rule)
    prompts = draw.randint(0, V, (2, 3))
    for option in ({"top_p": 0.0}, {"temperature": 0.0}):
        ids = student.sample.generate.generate(model, prompts, 4, **option)
        [(name, value)] = option.items()
        ids = expect_ids(expect, f"{name} = {value}", ids, prompts, 4, V)
        rule = f"{name}={value} leaves the most probable token only; None, not 0, is what leaves a filter out."
        expect.equal(f"{name} = {value}: ids", ids, trajectories(tables, prompts, 4), rule=rule)
    first, second, third, fourth = draw.permutation(V)[:4].tolist()
    expect_penalty(student, draw, expect, "repetition_penalty", 7, [first, second, third, fourth, third])


def penalty_candidates(tables, penalty, T):
    """The right distribution after a prompt of T ids first, then what common mistakes give, each with its story."""
    S = len(tables)
    forgetful = {
        "They fit a penalty on the tokens of the context only": with_penalty(tables, penalty, lambda ids: ids[-S:])
    }
    return {
        "": plain(tables, penalty=penalty),
        **(forgetful if T > S else {}),
        "They fit no penalty at all": plain(tables),
        "They fit a rule that divides negative logits, too": with_rule(tables, lambda logits: logits / penalty),
        "They fit a rule that multiplies positive logits, too": with_rule(tables, lambda logits: logits * penalty),
        "They fit a penalty on the prompt only": with_penalty(tables, penalty, lambda ids: ids[:T]),
        "They fit a penalty on the new tokens only": with_penalty(tables, penalty, lambda ids: ids[T:]),
        "They fit a penalty on the last token only": with_penalty(tables, penalty, lambda ids: ids[-1:]),
        "They fit a penalty for every occurrence": repeatedly_penalised(tables, penalty),
        "They fit a penalty that makes seen tokens more likely": plain(tables, penalty=1 / penalty),
    }


def expect_penalty(student, draw, expect, what, block_size, prompt):
    """The penalty falls on every token of the row so far, and only once on one that occurs twice."""
    V, penalty, n = 6, 2.5, 2

    def known(tables):
        return distributions(penalty_candidates(tables, penalty, len(prompt)), prompt, n)

    def tells(tables):
        right, *others = known(tables).values()
        distances = [(other - right).abs().sum().item() for other in others]
        return min(distances)

    # With some tables a forgotten token would hardly be drawn anyway: take those that tell most.
    tables = max((random_tables(draw, block_size, V, scale=1.5) for _ in range(10)), key=tells)
    new = sample(student, expect, what, table_model(student, tables), prompt, n, V, draw, repetition_penalty=penalty)
    rule = "The penalty should fall on every token of the row so far, the prompt included, once each."
    expect_distribution(expect, f"{what}: draws", new, V, known(tables), rule=rule)


# generate: the loop around it


def test_context(student, draw, expect):
    """The model sees the last block_size ids at every step, and the result has all of them."""
    V, block_size, n = 11, 5, 12
    tables = random_tables(draw, block_size, V)
    generate = student.sample.generate.generate
    rule = "The context is the last block_size ids of the row, the newest included; the result keeps every id."
    for T in (3, 5, 9):
        prompts = draw.randint(0, V, (2, T))
        ids = generate(table_model(student, tables, sharp=SHARP), prompts, n)
        what = f"block_size = {block_size}, T = {T}, n = {n}"
        ids = expect_ids(expect, what, ids, prompts, n, V)
        expect.equal(f"{what}: ids", ids, trajectories(tables, prompts, n), rule=rule)
    prompts = draw.randint(0, V, (2, 3))
    ids = expect_ids(expect, "block_size = 1", generate(one_token_model(student, draw, V), prompts, 4), prompts, 4, V)
    follows = None if ids is None else bool((ids[:, 3:] == (ids[:, 2:-1] + 1) % V).all())
    expect.true("block_size = 1: ids", follows is True, evidence=follows, rule=f"{rule} Here that is one id.")


def one_token_model(student, draw, V):
    """block_size 1; after token x comes x + 1."""
    successor = torch.eye(V, dtype=torch.float64).roll(1, dims=1)
    return table_model(student, successor[None], sharp=SHARP)


def test_order(student, draw, expect):
    """With all options the distribution is that of penalty, temperature, top-k, top-p; the penalty forgets nothing."""
    V, T = 7, 3
    prompt = draw.permutation(V)[:T].tolist()
    seen = seen_in(torch.tensor(prompt), V)
    many = draw.randn(600, V) * 1.5
    for options in [
        {"temperature": 1.8, "top_k": 4, "top_p": 0.7, "penalty": 2.0},
        {"temperature": 0.7, "top_k": 4, "top_p": 0.85, "penalty": 2.0},
        {"temperature": 2.0, "top_p": 0.75, "penalty": 1.5},
        {"temperature": 1.0, "top_k": 5, "top_p": 0.75},
    ]:
        logits = many[most_telling(list(filter_candidates(many, seen, options).values()))]
        tables = torch.zeros(5, V, V, dtype=torch.float64)
        tables[T - 1, prompt[-1]] = logits
        given = dict(options)
        if "penalty" in given:
            given["repetition_penalty"] = given.pop("penalty")
        what = ", ".join(f"{name} {value}" for name, value in given.items())
        new = sample(student, expect, what, table_model(student, tables), prompt, 1, V, draw, **given)
        rule = "The filters should act in this order: penalty, temperature, top-k, top-p."
        known = filter_candidates(logits, seen, options)
        expect_distribution(expect, f"{what}: draws", new, V, known, rule=rule)
    first, second, third, fourth = draw.permutation(6)[:4].tolist()
    prompt = [first, first, second, third, fourth, third]  # the first ones are no longer in the context
    expect_penalty(student, draw, expect, "repetition_penalty past block_size", 3, prompt)


def filter_candidates(logits, seen, options):
    """The right probabilities first, then those of other orders and of one filter left out, each with its story."""
    known = {"": pipeline(logits, seen, **options)}
    for order in itertools.permutations(ORDER):
        known[f"They fit the order {', '.join(order)}"] = pipeline(logits, seen, **options, order=order)
    for name in options:
        rest = {other: value for other, value in options.items() if other != name}
        known[f"They fit without {name}"] = pipeline(logits, seen, **rest)
    return known


def most_telling(known):
    """The row of logits for which the candidates differ most from the first one, and then from each other."""
    stacked = torch.stack(known)  # (candidates, rows, V)
    distances = (stacked[:, None] - stacked[None]).abs().sum(dim=-1) / 2  # (candidates, candidates, rows)
    can_differ = distances.amax(dim=-1) > 1e-6
    from_right = distances[0][can_differ[0]].clamp(max=0.12).amin(dim=0)
    apart = (distances[can_differ] > 0.08).double().mean(dim=0)
    return int((from_right * 100 + apart).argmax())


def chain_tables(block_size, successor):
    """Tables under which the last token alone decides: after x comes successor[x]."""
    step = torch.eye(len(successor), dtype=torch.float64)[successor]  # (V, V)
    return step * 3.0 ** torch.arange(block_size)[:, None, None]


def test_stop_tokens(student, draw, expect):
    """Each row for itself: after its first drawn stop token it repeats that, and the others go on."""
    V = 9
    cycle = draw.permutation(V).tolist()  # the model walks round this circle
    successor = torch.empty(V, dtype=torch.int64)
    successor[torch.tensor(cycle)] = torch.tensor(cycle).roll(-1)
    model = table_model(student, chain_tables(12, successor), sharp=SHARP)
    generate = student.sample.generate.generate
    rule = "A row that has drawn a stop token repeats that token to the end, and no other row is touched by it."
    zero = cycle.index(0)
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
        prompts = torch.tensor([[cycle[(start - 1) % V], cycle[start % V]] for start in starts])
        stop_tokens = [cycle[stop % V] for stop in stops]
        ids = generate(model, prompts, n, stop_tokens=stop_tokens)
        ids = expect_ids(expect, what, ids, prompts, n, V)
        expect.equal(f"{what}: ids", ids, stopped(successor, prompts, stop_tokens, n), rule=rule)


def stopped(successor, prompts, stop_tokens, n):
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
    generate = student.sample.generate.generate
    world = student.instrument("global_random")

    def ids(what, **options):
        return expect_ids(expect, what, generate(model, prompts, n, **options), prompts, n, V)

    first = ids("a generator", generator=student.generator(seed))
    again = ids("one with the same seed", generator=student.generator(seed))
    expect_same(expect, "same seed", first, again, True, "Two generators with the same seed give the same ids.")
    other = ids("one with another seed", generator=student.generator(seed + 1))
    expect_same(expect, "another seed", first, other, False, "A generator with another seed gives other ids.")
    used = student.generator(seed)
    ids("a generator's first use", generator=used)
    second = ids("its second use", generator=used)
    rule = "A generator that has been used goes on: its second ids are new ones."
    expect_same(expect, "used again", first, second, False, rule)
    world.seed(seed)
    untouched = world.numbers()
    world.seed(seed)
    ids("with the global generator watched", generator=student.generator(seed))
    after = world.numbers()
    same = is_tensor(after, untouched.shape) and bool((after == untouched).all())
    rule = "A generator was given, and still the global one was used or seeded: a sample in the middle of a training run"
    expect.true("the global generator afterwards", same, rule=f"{rule} changes the run.", evidence=same)
    world.seed(seed)
    first = ids("no generator")
    second = ids("no generator, again")
    rule = "Without a generator every call gives new ids; something seeds torch anew, always with the same number."
    expect_same(expect, "two calls without a generator", first, second, False, rule)
    world.seed(seed)
    again = ids("no generator, the same global seed")
    rule = "Without a generator torch's global one serves: torch.manual_seed(...) makes the ids repeat."
    expect_same(expect, "same global seed", first, again, True, rule)


def expect_same(expect, what, one, other, wanted, rule):
    same = one is not None and other is not None and bool((one == other).all())
    expect.true(what, same is wanted, rule=rule, evidence=same)


def moody_tables(draw, block_size, vocab_size):
    """(4, block_size, V, V): other tables in training mode, and when gradients are on."""
    return torch.stack([random_tables(draw, block_size, vocab_size) for _ in range(4)])


MOODS = [
    "",
    "The model was in training mode, where dropout is at work.",
    "Gradients were on: every step keeps its graph in memory.",
    "The model was in training mode and gradients were on.",
]


def expect_mood(expect, what, found, expected):
    """`found` equals expected[0]; expected[1:] say in which mood the model was instead."""
    mood = next((number for number, ids in enumerate(expected) if found is not None and found == ids), None)
    story = "" if mood is None else MOODS[mood]
    rule = f"While ids are drawn the model is in eval mode, and gradients are off. {story}"
    expect.true(f"{what}: ids", mood == 0, rule=rule.strip(), evidence=mood)


def expect_modes_kept(student, expect, what, model, training):
    """The model's modes are as before, and gradients are on again."""
    modes = student.modes(model)
    name = "training" if training else "eval"
    rule = f"The model was in {name} mode before, so it should be in {name} mode afterwards, all its parts included."
    if training:
        rule += " A training loop that prints a sample goes on without dropout otherwise."
    expect.true(f"{what}: modes afterwards", all(m is training for m in modes), rule=rule, evidence=modes)


def expect_gradients_on(student, expect, what, model, tables, context, training):
    """A plain call of the model afterwards sees gradients on, as the caller left them."""
    result = model(torch.tensor([context]))
    logits = result[0] if isinstance(result, list) else None
    expected = [table_logits(tables[mood], context) for mood in range(4)]
    mood = None
    if is_tensor(logits, (1, len(context), tables.shape[-1])):
        mood = next((m for m, wanted in enumerate(expected) if torch.allclose(logits[0, -1], wanted)), None)
    on = mood is not None and mood >= 2
    rule = "Gradients are off for the rest of the program: turn them off for a block (torch.no_grad), not for good."
    expect.true(f"{what}: gradients on again", on, rule=rule, evidence=mood)


def test_modes(student, draw, expect):
    """Eval mode and no gradients inside; both as before afterwards."""
    V, block_size, n = 9, 12, 7
    tables = moody_tables(draw, block_size, V)
    for training in (True, False):
        prompts = draw.randint(0, V, (2, 4))
        model = table_model(student, tables, sharp=SHARP)
        model.train(training)
        what = f"a model in {'training' if training else 'eval'} mode"
        ids = student.sample.generate.generate(model, prompts, n)
        ids = expect_ids(expect, what, ids, prompts, n, V)
        expected = [trajectories(tables[mood], prompts, n).tolist() for mood in range(4)]
        expect_mood(expect, what, None if ids is None else ids.tolist(), expected)
        expect_modes_kept(student, expect, what, model, training)
        model = table_model(student, tables)
        model.train(training)
        student.sample.generate.generate(model, prompts, 2)
        expect_gradients_on(student, expect, what, model, tables, prompts[0].tolist(), training)


# stream


def whole(value):
    """An id as int, where it is an integer or a tensor with one; else None."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_floating_point():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def streamed(student, expect, what, model, prompt, n, *, limit, **options):
    """The first ids of a stream, at most `limit`, as a list."""
    stream = student.keep(student.sample.generate.stream, model, prompt, n, **options)
    rule = "stream returns an iterator: write it with yield."
    try:
        iterator = student.keep(stream.__iter__)
    except StudentError as error:
        if error.type != "AttributeError":
            raise
        expect.true(f"{what}: yields", False, rule=rule, evidence="nothing")
        return []
    found = []
    for _ in range(limit):
        try:
            found.append(student.next(iterator))
        except StopIteration:
            break
    with contextlib.suppress(StudentError):  # one that is not a generator can't be closed
        iterator.close()  # or what it has switched off until its end stays off
    return found


def expect_stream(expect, what, found, expected, *, rule):
    """The ids equal the expected list; whether they are Python ints or tensors of one number is a style."""
    ids = [whole(value) for value in found]
    expect.equal(f"{what}: ids", ids, expected, rule=rule)


def test_stream(student, draw, expect):
    """The ids of generate for this row, lazily, with the same options, ending at a stop token."""
    V, block_size, n = 11, 6, 20
    tables = random_tables(draw, block_size, V)
    prompt = draw.randint(0, V, (1, 4))
    expected = trajectory(tables, prompt[0].tolist(), n)[4:]
    rule = "stream yields the new ids only, all of them, in order, with the context and the filters of generate."
    model = table_model(student, tables, sharp=SHARP)
    found = streamed(student, expect, "a stream", model, prompt, n, limit=n + 3)
    expect_stream(expect, "a stream", found, expected, rule=rule)
    model = table_model(student, tables, sharp=SHARP)
    found = streamed(student, expect, "two ids of a stream", model, prompt, n, limit=2)
    calls = student.value(model.calls)
    lazy = calls == 2
    why_lazy = f"After two ids the model has been called {calls} times: yield an id before you compute the next one."
    expect.true("lazy", lazy and [whole(value) for value in found] == expected[:2], rule=why_lazy, evidence=lazy or calls)
    prompt = draw.randint(0, V, (1, 3))
    seed = draw.seed()
    for what, options in [
        ("defaults", {}),
        ("all filters", {"temperature": 1.4, "top_k": 6, "top_p": 0.9, "repetition_penalty": 1.5}),
        ("temperature 0", {"temperature": 0.0}),
    ]:
        model = table_model(student, tables)
        seeded = {"generator": student.generator(seed), **options}
        ids = student.sample.generate.generate(model, prompt, n, **seeded)
        ids = expect_ids(expect, f"{what}: generate", ids, prompt, n, V)
        seeded = {"generator": student.generator(seed), **options}
        found = [whole(value) for value in streamed(student, expect, what, model, prompt, n, limit=n + 3, **seeded)]
        same = ids is not None and found == ids[0, 3:].tolist()
        why_same = "With the same options and equally seeded generators stream and generate give the same ids."
        expect.true(f"{what}: stream equals generate", same, rule=why_same, evidence=same)
    cycle = torch.arange(V).roll(-1)
    model = table_model(student, chain_tables(8, cycle), sharp=SHARP)
    found = streamed(student, expect, "a stop token", model, torch.tensor([[1, 2]]), 9, limit=12, stop_tokens=[5, 0])
    rule = "A stop token is yielded and ends the stream."
    expect_stream(expect, "a stop token", found, [3, 4, 5], rule=rule)
    expect_stream_modes(student, draw, expect)


def expect_stream_modes(student, draw, expect):
    tables = moody_tables(draw, 6, 11)
    prompt = draw.randint(0, 11, (1, 4))
    model = table_model(student, tables, sharp=SHARP)
    what = "a stream from a model in training mode"
    found = streamed(student, expect, what, model, prompt, 7, limit=10)
    expected = [trajectory(tables[mood], prompt[0].tolist(), 7)[4:] for mood in range(4)]
    expect_mood(expect, what, [whole(value) for value in found], expected)
    expect_modes_kept(student, expect, what, model, True)


# Beam search


def sequence_score(tables, ids, T):
    """The sum of log-probabilities of ids[T:], a list."""
    total = 0.0
    for t in range(T, len(ids)):
        total += table_logits(tables, ids[:t][-len(tables) :]).log_softmax(-1)[ids[t]].item()
    return total


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


def read_beams(expect, what, result, length):
    """[(ids as a list, log-probability)] from what beam_search returned, or None."""
    pairs = []
    for pair in result if isinstance(result, list) else [None]:
        ids, total = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        if isinstance(ids, torch.Tensor):
            ids = ids.reshape(-1).tolist()
        if isinstance(total, torch.Tensor) and total.numel() == 1:
            total = total.item()
        good = isinstance(ids, list) and all(isinstance(token, int) for token in ids) and isinstance(total, float)
        pairs.append((ids, total) if good and len(ids) == length else None)
    fine = None not in pairs
    rule = f"beam_search returns a list of (ids, log_probability): int64 ({length},) with the prompt, and a float."
    expect.true(f"{what}: a list of pairs", fine, rule=rule, evidence=fine)
    return pairs if fine else None


def expect_beams(expect, what, result, tables, prompt, n, width):
    """The pairs are the best ones, sorted, each with the log-probability of its own ids."""
    expected = beams(tables, prompt, n, width)
    pairs = read_beams(expect, what, result, len(prompt) + n)
    pairs = [] if pairs is None else pairs
    rule = f"There are {len(expected)} sequences to return: beam_width of them, or all that there are."
    expect.equal(f"{what}: how many", len(pairs), len(expected), rule=rule)
    starts = all(ids[: len(prompt)] == list(prompt) for ids, _ in pairs)
    expect.true(f"{what}: the prompt first", starts, rule="Each ids begins with the prompt.", evidence=starts)
    totals = [total for _, total in pairs]
    rule = "The best sequence comes first."
    ordered = all(a >= b - 1e-5 for a, b in itertools.pairwise(totals))
    expect.true(f"{what}: best first", ordered, rule=rule, evidence=ordered)
    V = tables.shape[-1]
    own = [sequence_score(tables, ids, len(prompt)) if all(0 <= i < V for i in ids) else -INF for ids, _ in pairs]
    rule = "The number beside each sequence is the sum of the log-probabilities of its new ids."
    expect_numbers(expect, f"{what}: log-probabilities of the ids", totals, own, rule)
    distinct = len({tuple(ids) for ids, _ in pairs}) == len(pairs)
    expect.true(f"{what}: no sequence twice", distinct, rule="A sequence is returned twice.", evidence=distinct)
    rule = f"With beam_width = {width} the search should find better sequences than these."
    expect_numbers(expect, f"{what}: the best log-probabilities", totals, [total for _, total in expected], rule)


def expect_numbers(expect, what, found, expected, rule):
    """Close to float32 accuracy: summing in float32 is fine."""
    expect.close(what, torch.tensor(found).float(), torch.tensor(expected).float(), rule=rule)


def test_beam_search(student, draw, expect):
    """All sequences when the beam holds them all, greedy for width 1, and the exact beams in between."""
    V, block_size, n = 5, 7, 3
    search = student.sample.beam.beam_search
    tables = random_tables(draw, block_size, V, scale=1.5)
    prompt = draw.randint(0, V, (2,)).tolist()
    idx = torch.tensor([prompt])
    for width in (1, 2, 3, 7, V**n, V**n + 20):
        result = search(table_model(student, tables), idx, n, width)
        expect_beams(expect, f"V = {V}, n = {n}, beam_width = {width}", result, tables, prompt, n, width)
    # A step that looks best leads where every next step is poor: greedy is not the best, a wider beam is.
    V, n = 11, 4
    tables = max(
        (random_tables(draw, 6, V, scale=2.0) for _ in range(20)),
        key=lambda t: beams(t, [1, 4], n, 30)[0][1] - beams(t, [1, 4], n, 1)[0][1],
    )
    for width in (1, 4, 30):
        result = search(table_model(student, tables), torch.tensor([[1, 4]]), n, width)
        expect_beams(expect, f"V = {V}, n = {n}, beam_width = {width}", result, tables, [1, 4], n, width)
    result = search(table_model(student, tables), torch.tensor([[1, 4]]), 1, 6)
    expect_beams(expect, "one new token, beam_width = 6", result, tables, [1, 4], 1, 6)


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
        same = same_tensor(student.value(here), prompts)
        expect.true(f"{what}: prompt afterwards", same, rule="beam_search changed the prompt tensor.", evidence=same)
    tables = moody_tables(draw, block_size, V)
    for training in (True, False):
        prompt = draw.randint(0, V, (2,)).tolist()
        model = table_model(student, tables)
        model.train(training)
        what = f"beams of a model in {'training' if training else 'eval'} mode"
        pairs = read_beams(expect, what, search(model, torch.tensor([prompt]), n, 2), 2 + n)
        expected = [[ids for ids, _ in beams(tables[mood], prompt, n, 2)] for mood in range(4)]
        expect_mood(expect, what, None if pairs is None else [ids for ids, _ in pairs], expected)
        expect_modes_kept(student, expect, what, model, training)
        expect_gradients_on(student, expect, what, model, tables, prompt, training)


# The cache

GPT_SIZES = {"block_size": 11, "vocab_size": 13, "n_layer": 2, "n_head": 3, "n_embd": 15}


def loaded_gpt(student, draw, **sizes):
    """The student's GPT in float64 and eval mode under random weights."""
    sizes = GPT_SIZES | sizes
    config = student.keep(student.model.transformer.GPTConfig, **sizes, dropout=0.0)
    model = student.model.transformer.GPT(config)
    model.double()
    model.eval()
    model.load_weights(gpt_weights(draw, **{name: size for name, size in sizes.items() if name != "n_head"}))
    return model


def logits_of(result):
    return result[0] if isinstance(result, list) and len(result) == 2 else None


def in_chunks(expect, model, what, idx, chunks, cache):
    """The logits of all positions, fed to the model with the cache in chunks of these lengths; None if unusable."""
    parts, start = [], 0
    for length in chunks:
        logits = logits_of(model(idx[:, start : start + length].contiguous(), cache=cache))
        shape = (idx.shape[0], length, GPT_SIZES["vocab_size"])
        rule = "With a cache, forward returns logits for the new ids only: (B, T, V)."
        expect.tensor(f"{what}: logits from position {start}", logits, shape=shape, dtype=torch.float64, rule=rule)
        parts.append(logits if is_tensor(logits, shape, torch.float64) else torch.full(shape, math.nan).double())
        start += length
    return torch.cat(parts, dim=1)


CHUNKS = [
    ("the whole prompt at once", (6,)),
    ("one by one", (1, 1, 1, 1, 1, 1)),
    ("1, 3 and the rest", (1, 3, 5)),
    ("a prompt of 4, then one by one", (4, 1, 1, 1)),
    ("2 and 2 and 2", (2, 2, 2)),
    ("up to block_size", (5, 4, 1, 1)),
]


def test_cache_logits(student, draw, expect):
    """forward(idx, cache=cache) in chunks equals forward of the whole, and each chunk sees all that came before."""
    V, block_size = GPT_SIZES["vocab_size"], GPT_SIZES["block_size"]
    model = loaded_gpt(student, draw)
    for what, chunks in CHUNKS:
        for B in (2, 1, 4):
            label = f"{what}, B = {B}"
            idx = draw.randint(0, V, (B, sum(chunks)))
            full = logits_of(model(idx))
            expect.tensor(f"{label}: logits without a cache", full, shape=(B, sum(chunks), V), dtype=torch.float64)
            cached = in_chunks(expect, model, label, idx, chunks, student.keep(model.new_cache, B))
            wanted = full if is_tensor(full, cached.shape, torch.float64) else torch.zeros_like(cached)
            starts = torch.tensor([0, *chunks[:-1]]).cumsum(0).tolist()
            rule = f"The chunks begin at positions {starts}. {first_difference(cached, wanted)}"
            expect.close(f"{label}: logits", cached, wanted, rule=rule)
    expect_influence(student, draw, expect, model)
    expect_fresh_cache(student, draw, expect, model)
    deep = loaded_gpt(student, draw, n_layer=4, n_head=5)
    idx = draw.randint(0, V, (3, block_size))
    cached = in_chunks(expect, deep, "4 layers, 5 heads", idx, (4, 1, 6), student.keep(deep.new_cache, 3))
    full = logits_of(deep(idx))
    wanted = full if is_tensor(full, cached.shape, torch.float64) else torch.zeros_like(cached)
    expect.close("4 layers, 5 heads: logits", cached, wanted, rule=f"{first_difference(cached, wanted)}")


def first_difference(cached, full):
    wrong = ((cached - full).abs() > 1e-9 * (1 + full.abs())) | cached.isnan()
    positions = wrong.any(dim=-1).any(dim=0).nonzero().flatten().tolist()
    return f"With the cache, the logits first differ at position {positions[0]}." if positions else ""


def expect_influence(student, draw, expect, model):
    """The last logits move with every earlier token, so that 'equal with and without cache' says something."""
    V, T = GPT_SIZES["vocab_size"], 7
    idx = draw.randint(0, V, (1, T))
    shifts = draw.randint(1, V, (T,))
    before = in_chunks(expect, model, "influence", idx, (3, 3, 1), student.keep(model.new_cache, 1))[:, -1]
    moved = []
    for t in range(T):
        changed = idx.clone()
        changed[0, t] = (changed[0, t] + shifts[t]) % V
        cache = student.keep(model.new_cache, 1)
        after = in_chunks(expect, model, f"influence of {t}", changed, (3, 3, 1), cache)[:, -1]
        moved.append(bool((after - before).abs().max() > 1e-9))
    rule = "With the cache, the last logits don't depend on every earlier token."
    expect.true("each token moves the last logits", all(moved), rule=rule, evidence=moved)


def expect_fresh_cache(student, draw, expect, model):
    """A second prompt, with a cache of its own, knows nothing of the first."""
    V = GPT_SIZES["vocab_size"]
    first, second = draw.randint(0, V, (2, 6)), draw.randint(0, V, (2, 5))
    in_chunks(expect, model, "first prompt", first, (4, 2), student.keep(model.new_cache, 2))
    cached = in_chunks(expect, model, "second prompt", second, (3, 2), student.keep(model.new_cache, 2))
    full = logits_of(model(second))
    wanted = full if is_tensor(full, cached.shape, torch.float64) else torch.zeros_like(cached)
    rule = "new_cache gives an empty cache: a second prompt must not meet the keys and values of the first."
    expect.close("second prompt: logits", cached, wanted, rule=rule)


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
        ids = expect_ids(expect, what, generate(model, prompts, length), prompts, length, V)
        expect.equal(f"{what}: ids", ids, trajectories(tables, prompts, length), rule=rule)
    prompts = draw.randint(0, V, (2, 4))
    model = table_model(student, tables, sharp=SHARP, caching=True)
    ids = expect_ids(expect, "use_cache=False", generate(model, prompts, n, use_cache=False), prompts, n, V)
    rule = "Without the cache the ids are the same."
    expect.equal("use_cache=False: ids", ids, trajectories(tables, prompts, n), rule=rule)
    made = student.value(model.caches)
    expect.equal("use_cache=False: caches made", made, 0, rule="With use_cache=False, new_cache is never called.")
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
        options = {**given, "generator": student.generator(seed)}
        what = "all options, " + ("a model with new_cache" if caching else "a model without")
        ids = student.sample.generate.generate(model, prompts, n, **options)
        found.append(expect_ids(expect, what, ids, prompts, n, V))
    rule = "With the cache, too, all options count: equal generators should give the ids that they give without."
    expect_same(expect, "all options: same ids", *found, True, rule)
    moods = moody_tables(draw, 12, V)
    model = table_model(student, moods, sharp=SHARP, caching=True)
    ids = student.sample.generate.generate(model, prompts, 7)
    ids = expect_ids(expect, "a model with new_cache in training mode", ids, prompts, 7, V)
    expected = [trajectories(tables, prompts, 7).tolist() for tables in moods]
    expect_mood(expect, "a model with new_cache in training mode", None if ids is None else ids.tolist(), expected)


def expect_cached_gpt(student, draw, expect):
    """The student's own model, inside block_size and past it."""
    model = loaded_gpt(student, draw)
    V = GPT_SIZES["vocab_size"]
    for T, n in [(3, 6), (4, 15)]:
        prompts = draw.randint(0, V, (2, T))
        seed = draw.seed()
        found = []
        for use_cache in (True, False):
            what = f"your GPT, T = {T}, n = {n}, use_cache={use_cache}"
            options = {"temperature": 0.8, "generator": student.generator(seed), "use_cache": use_cache}
            ids = student.sample.generate.generate(model, prompts, n, **options)
            found.append(expect_ids(expect, what, ids, prompts, n, V))
        rule = "With equal generators, your own GPT gives the same ids with the cache and without."
        expect_same(expect, f"your GPT, T = {T}, n = {n}: same ids", *found, True, rule)


def test_cache_speed(student, draw, expect):
    """The model computes about T + n positions, not a growing context at every step; stream gives the same ids."""
    V, block_size, T, n = 11, 40, 6, 30
    tables = random_tables(draw, block_size, V)
    prompts = draw.randint(0, V, (1, T))
    expected = trajectory(tables, prompts[0].tolist(), n)
    model = table_model(student, tables, sharp=SHARP, caching=True)
    ids = expect_ids(expect, "with a cache", student.sample.generate.generate(model, prompts, n), prompts, n, V)
    rule = "With the cache the ids are those of the model."
    expect.equal("with a cache: ids", None if ids is None else ids[0].tolist(), expected, rule=rule)
    made = student.value(model.caches)
    expect.note("caches made", min(made, 2) if isinstance(made, int) else made)
    every = sum(range(T, T + n))
    why_once = f"Without a cache it would be {every} positions; with one, each of the {T + n} is computed once."
    expect.below("positions computed", student.value(model.columns), 2 * (T + n), rule=why_once)
    model = table_model(student, tables, sharp=SHARP, caching=True)
    found = streamed(student, expect, "a stream from a model with new_cache", model, prompts, n, limit=n + 3)
    expect_stream(expect, "a stream from a model with new_cache", found, expected[T:], rule=rule)
