from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.drift import baselines
from benchmarks.drift.baselines import BASELINES, EVIDENTLY_ANY, EVIDENTLY_DATASET, NAMES, evidently_columns, evidently_defaults
from benchmarks.drift.by_slice import CALM, CASES, DRIFT_SLICES, OUTCOME_SLICES, RUN, WITHOUT, Tally
from benchmarks.drift.concept import streams
from benchmarks.drift.populations import SHIFTS, Population
from benchmarks.drift.simulations import OURS, Cell, Result
from benchmarks.drift.targets import compare, keeps_its_rate
from churn.contract import load_contract
from churn.simulation.simulate import simulate

CONTRACT = load_contract()
POOL = Population("pool", simulate(CONTRACT, 4_000, 1).features)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.long  # ten seconds of imports and reports
@pytest.mark.filterwarnings("ignore")  # Evidently's own
@pytest.mark.parametrize("rows", [400, 1_500])
def test_evidently_column_by_column_says_what_its_report_says(rows):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    reference, window = POOL.draw(rows, rng(1)), POOL.window("service calls", 300, rng(2))
    numbers = [c.name for c in CONTRACT.features if c.kind in ("number", "integer")]
    categories = [name for name in CONTRACT.feature_names if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (window, reference)]
    told = Report([DataDriftPreset()]).run(*sides).dict()
    mine = evidently_columns(reference, window, CONTRACT)
    rules = evidently_defaults(reference, window, CONTRACT)
    count = next(m["value"]["count"] for m in told["metrics"] if "DriftedColumnsCount" in m["metric_name"])
    assert sum(mine) == count
    assert rules == {EVIDENTLY_ANY: count > 0, EVIDENTLY_DATASET: count / len(mine) >= 0.5}


def test_each_baseline_names_its_rules_once(monkeypatch):
    # Evidently's functions take five seconds to import, and are asked by the long form.
    monkeypatch.setattr(baselines, "evidently_columns", lambda *_, **_how: [True] * len(CONTRACT.features))
    reference, window = POOL.draw(300, rng(1)), POOL.draw(100, rng(2))
    named = [name for baseline in BASELINES for name in baseline(reference, window, CONTRACT)]
    assert sorted(named) == sorted(NAMES)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_changes_what_it_says_and_keeps_the_rows(shift):
    window = POOL.window(shift, 500, rng(3))
    calm = POOL.draw(500, rng(3))
    assert window.shape == calm.shape
    changed = {name for name in window if not window[name].equals(calm[name])}
    expected = {
        "day minutes": {"total_day_minutes", "total_day_charge"},
        "service calls": {"customer_service_calls"},
        "broken dependence": {"total_day_charge"},
        "missing": {"account_length"},
    }
    if shift == "mix":
        assert 0.12 < window["international_plan"].mean() < 0.22
    else:
        assert changed == expected[shift]


def test_streams_of_errors_have_their_rates():
    assert streams(0.0, 20, 1).mean() == pytest.approx(0.195, abs=0.01)
    assert streams(0.1, 20, 1).mean() == pytest.approx(0.295, abs=0.01)


def result(shift, alarms, trials, **others):
    found = Result(Cell("real", 500, shift, trials, 0, 0))
    found.alarms.update({OURS: alarms} | others)
    found.trials.update({OURS: trials} | dict.fromkeys(others, trials))
    return found


def test_a_rate_is_kept_only_if_its_bound_is():
    assert keeps_its_rate(result(None, 10, 1_000), OURS)
    assert not keeps_its_rate(result(None, 16, 1_000), OURS)
    assert not keeps_its_rate(result(None, 1, 100), OURS)


def test_a_peer_counts_only_if_it_keeps_its_rate_and_then_must_not_be_better():
    null = result(None, 5, 1_000, fair=5, wild=500)
    shifted = result("day minutes", 199, 200, fair=200, wild=200)
    row = compare([null, shifted], [], [], [])[1]
    assert not row["reached"]
    assert "100.0%" in row["measured"]
    null.alarms["fair"] = 100
    assert compare([null, shifted], [], [], [])[1]["reached"]


def tenth(case: str, rows: int, run: int, without: int) -> dict[str, Any]:
    alarms = Counter({RUN: run, WITHOUT: without})
    return Tally(case, rows, alarms, Counter(dict.fromkeys((RUN, WITHOUT, OUTCOME_SLICES, DRIFT_SLICES), 100))).figures()


def test_a_tenth_s_change_must_be_found_in_large_windows_and_the_run_keep_its_rate():
    change = next(case for case in CASES if case != CALM)
    cases = [tenth(CALM, 1_000, 1, 0), tenth(CALM, 5_000, 2, 0), tenth(change, 1_000, 20, 0), tenth(change, 5_000, 90, 20)]
    rows = compare([], [], [], cases)
    assert [row["reached"] for row in rows] == [True, False, True]
    assert "90.0%, without slices 20.0%" in rows[2]["measured"]
    assert not compare([], [], [], [tenth(change, 5_000, 92, 95)])[0]["reached"]


@pytest.mark.parametrize("case", [case for case in CASES if case != CALM])
def test_a_case_changes_about_a_tenth_and_nobody_else(case):
    drawn, p = POOL.draw(2_000, rng(1)), np.full(2_000, 0.2)
    changed, leaving = CASES[case](drawn, p, rng(2))
    touched = (leaving != p) | (changed != drawn).any(axis=1).to_numpy()
    assert 0.03 < touched.mean() < 0.2
