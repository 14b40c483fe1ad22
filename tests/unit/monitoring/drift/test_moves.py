"""Answers of customers who are seen again: confident models, and bases so small that nobody may come back by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.moves import answers_beyond_chance, beyond_chance
from monitoring.drift.rank_scores import Floats

LOW, SHARE = 0.03, 0.12
LARGE = float(stats.norm.isf(0.005))


def month_later(sure: float, customers: int, rng: np.random.Generator, lasting: float = 0.5) -> tuple[Floats, Floats]:
    """What a base is told in two months, by a model that is right: who was to leave with this probability mostly has left."""
    before, fresh = np.where(rng.random((2, customers)) < SHARE, sure, LOW)
    now = np.where(rng.random(customers) < lasting, before, fresh)
    stayed = rng.random(customers) >= before
    return before[stayed], now[stayed]


def beyond(before: Floats, now: Floats, sure: float, *, known: bool = True) -> float:
    spread = (sure - LOW) * np.sqrt(SHARE * (1 - SHARE))
    left = SHARE * sure + (1 - SHARE) * LOW
    stayed = (SHARE * (1 - sure) * sure + (1 - SHARE) * (1 - LOW) * LOW) / (1 - left)
    comeback = np.array([(SHARE * sure + (1 - SHARE) * LOW - stayed) / spread]) if known else None
    return float(answers_beyond_chance(before, now, ((now - before) / spread)[:, None], comeback)[0])


@pytest.mark.parametrize("sure", [0.8, 0.9, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("customers", [60, 300, 2_000])
def test_a_calm_base_rarely_alarms_however_sure_the_model_and_however_few_the_customers(sure: float, customers: int) -> None:
    rng = np.random.default_rng(1)
    alarms = sum(abs(beyond(*month_later(sure, customers, rng), sure)) > LARGE for _ in range(200))
    assert alarms <= 4, f"{alarms} of 200 at 1 %"


def test_where_nobody_came_back_by_chance_the_squares_of_what_is_seen_would_alarm() -> None:
    """Of fifteen who were at .95 none stayed, so all moves are up: as probable as not."""
    before, now = np.full(300, LOW), np.full(300, LOW)
    now[:15] = 0.95
    moved = (now - before)[:, None]
    seen = (1 - now)[:, None] * moved
    assert float(seen.sum() / np.sqrt((seen**2).sum())) > 3.8
    assert abs(beyond(before, now, 0.95)) < 1


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("shift", [-0.4, 0.4])
def test_answers_that_all_moved_are_found_in_both_directions(shift: float, known: bool) -> None:
    rng = np.random.default_rng(2)
    logit = rng.normal(-2, 1, 400)
    before, now = (1 / (1 + np.exp(-side)) for side in (logit, logit + shift + rng.normal(0, 0.2, 400)))
    stayed = rng.random(400) >= before
    moved = (now - before)[stayed, None] / before.std()
    z = answers_beyond_chance(before[stayed], now[stayed], moved, np.array([0.1]) if known else None)[0]
    assert z * np.sign(shift) > LARGE


def test_more_than_those_who_left_can_explain_is_found_however_sure_the_model_is() -> None:
    before, now = month_later(0.99, 1_000, np.random.default_rng(3))
    assert beyond(before, np.maximum(now, 0.99), 0.99) > LARGE
    assert beyond(before, now, 0.99) == 0


def test_a_known_variance_counts_where_it_is_larger() -> None:
    moved = np.array([[1.0], [1.0], [1.0], [1.0]])
    assert beyond_chance(moved)[0] == pytest.approx(4 * 0.95 / 2)
    assert beyond_chance(moved, variance=16.0)[0] == pytest.approx(4 * 0.95 / 4)
    assert beyond_chance(moved, variance=1.0)[0] == pytest.approx(4 * 0.95 / 2)
    assert beyond_chance(moved, comeback=np.array([0.95]))[0] == 0


def test_answers_of_one_count_as_nearly_one_and_others_as_they_are() -> None:
    moved = np.array([[1.0], [0.5], [-0.25], [1.0]])

    def found(sure: float) -> float:
        now = np.array([sure, 0.2, 0.3, sure])
        return float(answers_beyond_chance(np.full(4, 0.5), now, moved, None)[0])

    assert found(1.0) == found(0.999)
    assert len({found(sure) for sure in (0.999, 0.99, 0.95, 0.9)}) == 4
