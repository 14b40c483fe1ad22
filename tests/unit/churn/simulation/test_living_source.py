from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from churn.simulation.living_source import LivingSource

ROWS = 5_000


def source(seed: int = 1, persistence: float = 0.8, switching: float = 0.1) -> LivingSource:
    return LivingSource(seed, persistence=persistence, switching=switching, switches=frozenset({"plan"}))


def months(made: LivingSource, purpose: str, count: int = 4) -> list[np.ndarray]:
    found = []
    for month in range(count):
        made.month = month
        found.append(made.of(purpose).normal(0, 1, ROWS))
    return found


def test_a_number_stays_close_to_itself_and_keeps_its_distribution() -> None:
    found = months(source(), "minutes")
    for earlier, later in pairwise(found):
        assert np.corrcoef(earlier, later)[0, 1] == pytest.approx(0.8, abs=0.03)
        assert (later.mean(), later.std()) == (pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.04))
    assert np.corrcoef(found[0], found[2])[0, 1] == pytest.approx(0.64, abs=0.04)


def test_what_switches_stays_and_then_is_another() -> None:
    found = months(source(), "plan", 2)
    assert np.mean(found[0] != found[1]) == pytest.approx(0.1, abs=0.02)
    assert found[1].std() == pytest.approx(1, abs=0.04)


def test_a_month_does_not_depend_on_when_it_was_first_asked_for() -> None:
    walked, jumped = source(), source()
    expected = months(walked, "minutes")[3]
    jumped.month = 3
    assert np.array_equal(jumped.of("minutes").normal(0, 1, ROWS), expected)
    assert np.array_equal(jumped.of("minutes").normal(0, 1, ROWS), expected)
    assert not np.array_equal(months(source(seed=2), "minutes")[3], expected)


def test_each_call_takes_the_next_hidden_column() -> None:
    draws = source().of("minutes")
    first, second = draws.normal(0, 1, ROWS), draws.normal(10, 2, ROWS)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert (second.mean(), second.std()) == (pytest.approx(10, abs=0.1), pytest.approx(2, abs=0.1))


def test_shares_are_uniform_and_below_1() -> None:
    values = source().of("plan").random(ROWS)
    assert np.histogram(values, 4, (0, 1))[0] / ROWS == pytest.approx([0.25] * 4, abs=0.03)
    made = source()
    made._hidden["plan", 1], made._reached["plan", 1] = np.array([50.0, -50.0]), 0
    assert made.of("plan").random(2).tolist() == [np.nextafter(1.0, 0.0), 0.0]


def test_accidents_are_new_in_each_month() -> None:
    made = source()
    first = made.accident("minutes/missing").random(5)
    assert np.array_equal(made.accident("minutes/missing").random(5), first)
    made.month = 1
    assert not np.array_equal(made.accident("minutes/missing").random(5), first)
