"""The one definition of a mature label: from delays alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from churn.store.maturity import MARGIN, Maturity, estimate_maturity, label_maturity
from churn.store.outcomes.delays import Delays
from churn.store.records import EPOCH, NO_LIMIT

DAY = 86_400.0
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def delays(left: object, stayed: object) -> Delays:
    return Delays(np.sort(np.asarray(left, dtype=float)), np.sort(np.asarray(stayed, dtype=float)))


class Known:
    def __init__(self, found: Delays) -> None:
        self.found = found

    def outcome_delays(self, now: datetime, /) -> Delays:
        return self.found


EARLY_LEAVERS = delays(np.full(40, DAY), np.full(240, 30 * DAY))


def test_leavers_known_after_a_day_wait_for_stayers_known_after_thirty() -> None:
    found = estimate_maturity(EARLY_LEAVERS)
    assert found.seconds == pytest.approx((1 + MARGIN) * 30 * DAY)
    assert "half is known after 1 days" in found.reason
    assert "stayed after 30 days" in found.reason
    assert found.until(NOW) == NOW - timedelta(days=31.5)


@pytest.mark.parametrize(("months", "days"), [(0, 31.5), (1, 31.5), (2, 31.5), (4, 30.75), (12, 30.25), (120, 30.025)])
def test_the_margin_shrinks_as_the_history_grows(months: int, days: float) -> None:
    known = Delays(EARLY_LEAVERS.left, EARLY_LEAVERS.stayed, months * 30 * DAY)
    assert estimate_maturity(known).seconds == pytest.approx(days * DAY)


def test_stayers_known_first_wait_for_leavers_too() -> None:
    assert estimate_maturity(delays(EARLY_LEAVERS.stayed, EARLY_LEAVERS.left)).seconds == pytest.approx(31.5 * DAY)


def test_one_stayer_is_enough_to_see_that_they_come_late() -> None:
    assert estimate_maturity(delays(np.full(100, DAY), [30 * DAY])).seconds == pytest.approx(31.5 * DAY)


@pytest.mark.parametrize(("left", "stayed"), [([], []), ([DAY] * 100, []), ([], [DAY] * 100)])
def test_while_one_class_is_unheard_of_no_outcome_counts(left: list[float], stayed: list[float]) -> None:
    found = estimate_maturity(delays(left, stayed))
    assert found.seconds is None
    assert found.until(NOW) == EPOCH


@pytest.mark.parametrize("scale", [60.0, 30 * DAY])
def test_outcomes_that_come_alike_count_at_once_however_late_they_come(scale: float) -> None:
    rng = np.random.default_rng(3)
    waits = sum(
        bool(estimate_maturity(delays(rng.uniform(0, scale, 60), rng.uniform(0, scale, 340))).seconds) for _ in range(200)
    )
    assert waits <= 200 * 0.1


def test_seconds_between_the_classes_are_no_difference() -> None:
    """The demo and quick loops: who left is written first, who stayed a moment later."""
    assert estimate_maturity(delays(np.full(300, 1.0), np.full(1000, 200.0))).seconds == 0.0
    assert estimate_maturity(delays(np.full(300, 1.0), np.full(1000, 400.0))).seconds > 0.0


def test_a_small_lead_of_one_class_is_seen_when_there_is_enough_to_see_it() -> None:
    rng = np.random.default_rng(5)
    left, stayed = rng.uniform(0, 30 * DAY, 4_000), rng.uniform(10 * DAY, 30 * DAY, 16_000)
    assert 28 * DAY < estimate_maturity(delays(left, stayed)).seconds <= 31.5 * DAY


def test_of_the_slower_class_at_most_a_fiftieth_comes_later() -> None:
    rng = np.random.default_rng(7)
    late = np.concatenate([rng.uniform(29 * DAY, 31 * DAY, 9_900), np.full(100, 300 * DAY)])
    found = estimate_maturity(delays(np.full(2_000, DAY), late))
    assert 30 * DAY < found.seconds < 34 * DAY
    assert np.mean(late > found.seconds) <= 0.02


def test_a_setting_wins_and_one_that_is_too_short_is_said_to_be() -> None:
    exact = label_maturity(Known(EARLY_LEAVERS), 40 * DAY, NOW)
    assert (exact.seconds, exact.too_short) == (40 * DAY, False)
    short = label_maturity(Known(EARLY_LEAVERS), 0.0, NOW)
    assert (short.seconds, short.too_short) == (0.0, True)
    assert "too short" in short.reason
    assert "30 days" in short.reason
    assert short.until(NOW) == NO_LIMIT
    assert label_maturity(Known(EARLY_LEAVERS), None, NOW).seconds == pytest.approx(31.5 * DAY)


@pytest.mark.parametrize("setting", [1.0, 29.9 * DAY])
def test_a_setting_that_is_too_short_waits_for_those_who_stay_all_the_same(setting: float) -> None:
    """A feed that comes a night later than the setting would have each cohort judged by those who left alone."""
    found = label_maturity(Known(EARLY_LEAVERS), setting, NOW)
    assert (found.seconds, found.too_short) == (pytest.approx(31.5 * DAY), True)
    assert "too short" in found.reason


@pytest.mark.parametrize("setting", [30 * DAY, 31 * DAY])
def test_a_setting_within_the_margin_is_not_too_short(setting: float) -> None:
    found = label_maturity(Known(EARLY_LEAVERS), setting, NOW)
    assert (found.seconds, found.too_short) == (setting, False)


@pytest.mark.parametrize("one_class", [delays([DAY] * 100, []), delays([], [DAY] * 100), delays([], [])])
def test_while_one_class_is_unheard_of_a_stated_age_counts_nothing_and_zero_counts_all(one_class: Delays) -> None:
    found = label_maturity(Known(one_class), 30 * DAY, NOW)
    assert (found.seconds, found.until(NOW)) == (None, EPOCH)
    assert label_maturity(Known(one_class), 0.0, NOW).until(NOW) == NO_LIMIT


def test_an_age_beyond_all_time_ends_at_the_beginning() -> None:
    assert Maturity(10 * 366 * DAY, "").until(EPOCH + timedelta(days=1)) == EPOCH
