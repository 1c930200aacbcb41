"""The chi-square test that judges sampling keeps its stated rate of false alarms, and sees what it should see."""

import math

import pytest
import torch

from milestones.hidden.chi_square import chi_square_rejects, upper_tail

FAIR = torch.full((6,), 1 / 6, dtype=torch.float64)


def counts_of(probabilities, n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.bincount(torch.multinomial(probabilities, n, True, generator=generator), minlength=len(probabilities))


@pytest.mark.parametrize(
    ("statistic", "degrees", "tail"), [(3.841459, 1, 0.05), (18.307038, 10, 0.05), (23.209251, 10, 0.01)]
)
def test_the_tail_is_that_of_the_printed_tables(statistic, degrees, tail):
    assert math.isclose(upper_tail(statistic, degrees), tail, rel_tol=1e-5)


@pytest.mark.parametrize("false_alarm", [0.2, 0.05])
@pytest.mark.parametrize("skewed", [False, True])
def test_false_alarms_are_as_rare_as_stated(false_alarm, skewed):
    probabilities = torch.tensor([0.6, 0.2, 0.1, 0.06, 0.03, 0.01], dtype=torch.float64) if skewed else FAIR
    runs = 2000
    alarms = sum(chi_square_rejects(counts_of(probabilities, 400, i), probabilities, false_alarm) for i in range(runs))
    noise = 5 * math.sqrt(false_alarm * (1 - false_alarm) / runs)
    assert false_alarm / 2 < alarms / runs < false_alarm + noise


def test_the_default_bound_lets_thousands_of_honest_samples_pass():
    assert not any(chi_square_rejects(counts_of(FAIR, 60, i), FAIR) for i in range(3000))


def test_a_loaded_die_is_seen():
    loaded = torch.tensor([0.22, 0.18, 0.15, 0.15, 0.15, 0.15], dtype=torch.float64)
    assert chi_square_rejects(counts_of(loaded, 20_000, 1), FAIR)


def test_the_impossible_is_rejected_at_once():
    assert chi_square_rejects(torch.tensor([100, 1]), torch.tensor([1.0, 0.0]))
    assert not chi_square_rejects(torch.tensor([100, 0]), torch.tensor([1.0, 0.0]))


def test_rare_outcomes_are_pooled_and_still_count():
    probabilities = torch.cat([torch.tensor([0.9]), torch.full((100,), 0.001)]).double()
    counts = torch.zeros(101)
    counts[0], counts[1:] = 700, 3  # the hundred rare ones have 300 of 1,000 draws, where 100 are due
    assert chi_square_rejects(counts, probabilities)


def test_probabilities_that_are_no_numbers_explain_nothing():
    assert chi_square_rejects(torch.tensor([5, 5]), torch.tensor([math.nan, math.nan]))
