"""The threshold of the CUSUMs: crossed within the horizon as often as was asked for. (With the whole detector: test_cusum.py.)"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monitoring.performance import cusum_calibration as module
from monitoring.performance.cusum import HORIZON, RUNS_PER_HORIZON
from monitoring.performance.cusum_calibration import _upper, calibrate_errors, resume

RNG = np.random.default_rng(0)
P = RNG.beta(1, 5, 1_000)
REFERENCE = pd.DataFrame({"churn_probability": P, "churned": (RNG.random(1_000) < P) * 1.0})


calibrate = partial(module.calibrate, simulations=100, horizon=300)


@pytest.fixture(autouse=True)
def short_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "calibrate", calibrate)


def test_a_bound_of_a_quantile_is_one_of_the_largest_draws() -> None:
    draws = [float(n) for n in np.random.default_rng(0).permutation(1_000)]
    above = int(stats.binom.ppf(0.1, 1_000, 0.05))
    assert _upper(draws, 0.05) == 1_000 - above
    # It is a bound, and a close one: the share that exceeds it is below the rate, but not by half.
    assert 0.025 < np.mean(np.array(draws) > _upper(draws, 0.05)) < 0.05


def test_too_few_draws_to_tell_take_the_largest_or_more() -> None:
    draws = [1.0, 5.0, 3.0]
    assert _upper(draws, 0.4) == 5.0
    assert _upper(draws, 0.1) == pytest.approx(5.0 + np.log(1 / 0.3) + 1.0)
    assert _upper(draws, 1 / 3) == 5.0
    assert _upper(draws, 0.0) == pytest.approx(5.0 + np.log(1e9) + 1.0)


def test_a_smaller_rate_has_a_larger_threshold_and_the_same_input_the_same() -> None:
    first, again, rarer = (calibrate(REFERENCE, false_alarm_rate=rate) for rate in (0.3, 0.3, 0.03))
    assert first.threshold == again.threshold < rarer.threshold
    assert (first.false_alarm_rate, first.horizon) == (0.3, 300)
    assert calibrate(REFERENCE, false_alarm_rate=0.3, seed=1).threshold != first.threshold
    assert calibrate(REFERENCE, false_alarm_rate=0.3, horizon=600).threshold > first.threshold


def test_simulated_streams_without_drift_cross_it_as_often_as_was_asked_for() -> None:
    detector = calibrate(REFERENCE, false_alarm_rate=0.3, horizon=200, simulations=200)
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        rows = rng.integers(0, 1_000, 200)
        stream = pd.DataFrame({"churn_probability": P[rows], "churned": (rng.random(200) < P[rows]) * 1.0})
        alarms += detector.update(detector.start(), stream).alarm
    assert 3 <= alarms <= 35


def test_errors_at_the_usual_rate_are_calm_and_more_are_not() -> None:
    detector = calibrate_errors(0.1, false_alarm_rate=0.2, horizon=300, simulations=200)
    vague = calibrate_errors(0.1, false_alarm_rate=0.2, horizon=300, simulations=200, reference_rows=50)
    assert vague.threshold > detector.threshold
    assert detector.error_rate == 0.1
    assert calibrate_errors(0.1, false_alarm_rate=0.2, horizon=300, simulations=200).threshold == detector.threshold


def test_a_stream_goes_on_with_the_threshold_that_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    first = resume(None, REFERENCE, REFERENCE.iloc[:50], false_alarm_rate=0.02)
    assert (first.seen, first.horizon, first.false_alarm_rate) == (50, 300, RUNS_PER_HORIZON * 0.02)
    kept = replace(first, horizon=HORIZON, calibrated_threshold=99.0)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was calibrated before")

    with monkeypatch.context() as patch:
        patch.setattr(module, "calibrate", never)
        again = resume(kept, REFERENCE, REFERENCE.iloc[50:60], false_alarm_rate=0.02)
    assert (again.seen, again.calibrated_threshold) == (60, 99.0)
    # Another rate or another horizon is calibrated anew, and the stream still goes on.
    for last, rate in ((kept, 0.03), (replace(kept, horizon=HORIZON + 1), 0.02)):
        other = resume(last, REFERENCE, REFERENCE.iloc[50:60], false_alarm_rate=rate)
        assert other.calibrated_threshold != 99.0
        assert other.seen == 60


def test_a_state_of_other_alternatives_begins_anew_and_outcomes_may_weigh_less() -> None:
    first = resume(None, REFERENCE, REFERENCE.iloc[:50], false_alarm_rate=0.02)
    strange = replace(first, state=replace(first.state, sums=(9.0,), last_zero=(0,)))
    found = resume(strange, REFERENCE, REFERENCE.iloc[50:60], false_alarm_rate=0.02)
    assert len(found.state.sums) == 6
    assert found.seen == 60
    light = resume(None, REFERENCE, REFERENCE.iloc[:50], false_alarm_rate=0.02, weights=np.full(50, 0.5))
    assert 0 < light.statistic < first.statistic
