"""Compares thousands of draws with the exact distribution, and says which well-known wrong one they fit instead.

A distribution over continuations by n ids is a vector (V ** n,). `next_probabilities(ids)` gives the probabilities
(V,) of the id after the list `ids`.
"""

import torch

from milestones.hidden.chi_square import chi_square_rejects, chi_square_strain

from .formulas import penalised, pipeline, seen_in
from .returned import need_ids
from .tables import table_logits

ROWS = 4000  # draws for one comparison: enough to tell the listed mistakes apart, quick enough for an item
RIGHT = "the rule"  # the name of the distribution that the draws must follow

# Orders of filters that commute differ by rounding only. Likelihoods this near count as equal, and the first is named.
EQUALLY_LIKELY = 1e-6


def draws(student, draw, expect, what, model, prompt, n, vocab_size, **options):
    """The new ids (ROWS, n) that generate draws after one prompt, given to every row."""
    prompts = torch.tensor(prompt).expand(ROWS, len(prompt)).contiguous()
    generator = student.generator(draw.seed())
    ids = student.sample.generate.generate(model, prompts, n, generator=generator, **options)
    need_ids(expect, what, ids, prompts, n, vocab_size)
    return ids[:, len(prompt) :]


def expect_distribution(expect, what, new, vocab_size, known, *, rule):
    """The rows of new (N, n) follow known[RIGHT]; the other distributions only say what they follow instead."""
    counts = cells(new, vocab_size)
    strain = chi_square_strain(counts, known[RIGHT])
    fits = best_fit(counts, known)
    story = f" They fit {fits} instead." if fits not in (None, RIGHT) else ""
    expect.true(
        f"{what}: the draws follow the rule",
        strain <= 1,
        rule=rule,
        saw=f"{what}: {len(new)} draws don't follow the rule.{story}",
        evidence=fits,
        strain=strain,
    )


def cells(new, vocab_size):
    """How often each combination of the columns of new (N, n) occurs: (V ** n,)."""
    places = vocab_size ** torch.arange(new.shape[1]).flip(0)
    return torch.bincount((new * places).sum(dim=1), minlength=vocab_size ** new.shape[1]).double()


def best_fit(counts, known):
    """The name of the most likely one of the named distributions, or None if even that one does not fit."""
    likelihoods = {
        name: torch.where(counts > 0, counts * distribution.log(), 0.0).sum().item()
        for name, distribution in known.items()
    }
    most = max(likelihoods.values())
    best = next(name for name, likelihood in likelihoods.items() if likelihood >= most - EQUALLY_LIKELY)
    return None if chi_square_rejects(counts, known[best]) else best


def joint(next_probabilities, prompt, n):
    """The exact distribution over all continuations by n ids, as in `cells`: (V ** n,)."""
    here = next_probabilities(prompt)
    if n == 1:
        return here
    return torch.cat([p * joint(next_probabilities, [*prompt, token], n - 1) for token, p in enumerate(here)])


def joints(candidates, prompt, n):
    """The same for each named `next_probabilities`."""
    return {name: joint(next_probabilities, prompt, n) for name, next_probabilities in candidates.items()}


# next_probabilities, right and wrong


def filtered(tables, **options):
    """The right context, and these filters."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        return pipeline(logits, seen_in(torch.tensor(ids), len(logits)), **options)

    return next_probabilities


def on_logits(tables, function):
    """`function` turns the right logits into probabilities."""
    return lambda ids: function(table_logits(tables, ids[-len(tables) :]))


def with_context(tables, context, temperature):
    """The logits after `context(ids)`, another context than the right one."""
    return lambda ids: (table_logits(tables, context(ids)) / temperature).softmax(dim=-1)


def with_penalty(tables, penalty, looked_at):
    """The penalty falls on the tokens of `looked_at(ids)`."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        seen = seen_in(torch.tensor(looked_at(ids), dtype=torch.int64), len(logits))
        return penalised(logits, seen, penalty).softmax(dim=-1)

    return next_probabilities


def with_rule(tables, rule):
    """The seen tokens get `rule(logits)`."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        return torch.where(seen_in(torch.tensor(ids), len(logits)), rule(logits), logits).softmax(dim=-1)

    return next_probabilities


def repeatedly_penalised(tables, penalty):
    """The penalty falls once for every occurrence."""

    def next_probabilities(ids):
        logits = table_logits(tables, ids[-len(tables) :])
        times = torch.bincount(torch.tensor(ids), minlength=len(logits))
        return torch.where(logits > 0, logits / penalty**times, logits * penalty**times).softmax(dim=-1)

    return next_probabilities
