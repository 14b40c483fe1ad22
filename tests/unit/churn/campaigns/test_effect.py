from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from churn.campaigns.effect import Effect, estimate_effect
from tests.unit.churn.campaigns.counted import by_score


def campaign(seed: int, customers: int = 1_000, share: float = 0.1, acceptance: float = 0.3) -> tuple[Effect | None, float]:
    """One campaign of customers with scores that are right: of those who would leave a share stays if contacted."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 3, customers)
    would_leave = rng.random(customers) < score
    held_out = rng.random(customers) < share
    kept = ~held_out & would_leave & (rng.random(customers) < acceptance)
    # What is to be covered: how many of these very customers stayed who would have left, on average over who accepts.
    truth = acceptance * float(score[~held_out].sum())
    return estimate_effect(*by_score(would_leave & ~kept, held_out, score)), truth


def test_one_stratum_is_newcombes_interval() -> None:
    left, held_out = np.zeros(500, bool), np.arange(500) >= 400
    left[:40] = left[400:419] = True
    found = estimate_effect(*by_score(left, held_out, np.full(500, 0.3)))
    assert found is not None
    low, high = confint_proportions_2indep(19, 100, 40, 400, compare="diff", method="newcomb")
    assert (found.strata, found.contacted, found.held_out, found.contacted_left, found.held_out_left) == (1, 400, 100, 40, 19)
    assert found.saved.value == pytest.approx(400 * 0.09)
    assert (found.saved.low, found.saved.high) == pytest.approx((400 * low, 400 * high))


@pytest.mark.parametrize(("customers", "share"), [(300, 0.1), (1_000, 0.1), (1_000, 0.3)])
def test_the_interval_covers_what_was_saved(customers: int, share: float) -> None:
    covered = trials = 0
    for seed in range(400):
        found, truth = campaign(seed, customers, share)
        assert found is not None
        covered += found.saved.low <= truth <= found.saved.high
        trials += 1
    assert covered / trials >= 0.93


def test_a_campaign_that_does_nothing_is_seldom_praised() -> None:
    found = [campaign(seed, acceptance=0.0)[0] for seed in range(400)]
    assert sum(one is not None and one.saved.low > 0 for one in found) / 400 <= 0.045


def test_scores_make_the_interval_narrower() -> None:
    widths = []
    rng = np.random.default_rng(1)
    score = np.repeat([0.05, 0.9], 1_000)
    held_out = rng.random(2_000) < 0.2
    left = rng.random(2_000) < score * np.where(held_out, 1.0, 0.7)
    for known in (score, np.full(2_000, 0.5)):
        found = estimate_effect(*by_score(left, held_out, known))
        assert found is not None
        widths.append(found.saved.high - found.saved.low)
    assert widths[0] < 0.7 * widths[1]


def test_the_acceptance_is_found_with_its_interval() -> None:
    covered = 0
    for seed in range(300):
        found, _ = campaign(seed, 2_000, 0.2)
        assert found is not None
        assert found.acceptance is not None
        covered += found.acceptance.low <= 0.3 <= found.acceptance.high
    assert covered / 300 >= 0.92


def test_the_acceptance_is_that_of_the_contacted_where_only_some_could_be_reached() -> None:
    """Those with high scores are harder to reach; of those who are, three of ten stay who would have left."""
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        score = rng.beta(2, 3, 2_000)
        would_leave, held_out = rng.random(2_000) < score, rng.random(2_000) < 0.2
        contacted = ~held_out & (rng.random(2_000) > score)
        left = would_leave & ~(contacted & (rng.random(2_000) < 0.3))
        customers, gone = by_score(left, held_out, score)
        _, told = by_score(contacted & left, held_out, score)
        found = estimate_effect(customers, gone, told[0])
        assert found is not None
        assert found.acceptance is not None
        covered += found.acceptance.low <= 0.3 <= found.acceptance.high
        whole = estimate_effect(customers, gone)
        assert whole is not None
        assert whole.saved == found.saved
    assert 0.92 <= covered / 300 <= 0.99


def test_who_drives_customers_away_is_below_zero() -> None:
    rng = np.random.default_rng(5)
    held_out = rng.random(3_000) < 0.3
    left = rng.random(3_000) < np.where(held_out, 0.2, 0.4)
    found = estimate_effect(*by_score(left, held_out, np.full(3_000, 0.3)))
    assert found is not None
    assert found.saved.high < 0
    assert found.acceptance is not None
    assert found.acceptance.high < 0


@pytest.mark.parametrize(("contacted_left", "held_out_left"), [(0, 0), (0, 30), (100, 0), (100, 30)])
def test_all_or_nobody_leaves(contacted_left: int, held_out_left: int) -> None:
    held_out = np.arange(130) >= 100
    left = np.concatenate([np.arange(100) < contacted_left, np.arange(30) < held_out_left])
    found = estimate_effect(*by_score(left, held_out, np.linspace(0, 1, 130)))
    assert found is not None
    assert found.saved.low < found.saved.value or contacted_left == 100
    assert -100 <= found.saved.low <= found.saved.value <= found.saved.high <= 100
    assert (found.acceptance is None) == (held_out_left == 0)
    if found.acceptance is not None:
        assert np.isfinite(found.acceptance.value)
        assert found.acceptance.low <= found.acceptance.value <= found.acceptance.high


def test_without_one_side_nothing_is_known() -> None:
    left, score = np.array([True, False]), np.array([0.5, 0.5])
    assert estimate_effect(*by_score(left, np.array([False, False]), score)) is None
    assert estimate_effect(*by_score(left, np.array([True, True]), score)) is None


def test_a_stratum_without_one_side_is_joined_to_others() -> None:
    score = np.concatenate([np.full(100, 0.9), np.linspace(0.1, 0.2, 60)])
    held_out = np.arange(160) >= 100
    found = estimate_effect(*by_score(np.arange(160) % 3 == 0, held_out, score))
    assert found is not None
    assert found.strata == 1
