"""Only the newcomers differ: a base of which 5 % are replaced each month, until a partner brings customers of another kind.

Today all customers of a window are compared with the reference, and those seen before with themselves; newcomers are among
the first. Beside that, what a test of their own would find: each month's newcomers against those of the months before, from the
second month on, by Welch's test of each number's mean rank score and a chi-square test of each level's share (Bonferroni).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.drift.populations import REFERENCE_ROWS
from churn.contract import Contract, load_contract
from churn.simulation.simulate import simulate
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from monitoring.monitor import WINDOW_SHARE
from monitoring.returning import DIFFERS

ALPHA, MONTHS, CHANGE, REPLACED = 0.01, 12, 6, 0.05
# Of the share of customers: what a test of newcomers would have, as much as whether what was said has grown.
NEWCOMERS = 0.1
SIZES = (2_000, 20_000)
CALM, TODAY, OWN = "none", "all customers (today)", "newcomers of their own"
Frame = pd.DataFrame


def _minutes(rows: Frame, _rng: np.random.Generator) -> Frame:
    minutes = (rows["total_day_minutes"] * 1.2).round(1)
    return rows.assign(total_day_minutes=minutes, total_day_charge=(minutes * 0.17).round(2))


def _plan(rows: Frame, rng: np.random.Generator) -> Frame:
    return rows.assign(international_plan=np.where(rng.random(len(rows)) < 0.3, 1.0, rows["international_plan"]))


def _calls(rows: Frame, rng: np.random.Generator) -> Frame:
    return rows.assign(customer_service_calls=rows["customer_service_calls"] + (rng.random(len(rows)) < 0.5))


KINDS: dict[str, Callable[[Frame, np.random.Generator], Frame]] = {
    CALM: lambda rows, _rng: rows,
    "day minutes +20 %": _minutes,
    "30 % more have the international plan": _plan,
    "half call service once more": _calls,
}


def run(lives: int, seed: int, *, sizes: tuple[int, ...] = SIZES, jobs: int = 1) -> list[dict[str, Any]]:
    """Let so many bases of each size and kind live for a year; the same seed gives the same figures."""
    found = []
    for kind in KINDS:
        for size in sizes:
            alarms = np.array(Parallel(n_jobs=jobs)(delayed(live_once)(kind, size, seed + n) for n in range(lives)), dtype=bool)
            found += [_figures(kind, size, who, alarms[:, place]) for place, who in enumerate((TODAY, OWN))]
    return found


def _figures(kind: str, size: int, who: str, alarms: np.ndarray) -> dict[str, Any]:
    """Give the share of months with an alarm; with a change, how many lives found it within one, three and six months."""
    row: dict[str, Any] = {"newcomers": kind, "customers": size, "who": who, "lives": len(alarms)}
    if kind == CALM:
        return row | {"alarms per month": float(alarms[:, 2:].mean())}
    after = alarms[:, CHANGE:]
    return row | {f"found by month {months}": float(after[:, :months].any(axis=1).mean()) for months in (1, 3, 6)}


def live_once(kind: str, customers: int, seed: int) -> tuple[list[bool], list[bool]]:
    """Live one year; say for each month who alarmed, of the columns that were not said before the change."""
    warnings.simplefilter("ignore")  # SciPy's about small counts
    contract = load_contract()
    training = simulate(contract, REFERENCE_ROWS, seed)
    numbers = contract.numeric_features
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(
        training.features[numbers], training.outcome
    )

    def answered(rows: Frame) -> Frame:
        return rows.assign(**{PROBABILITY: model.predict_proba(rows[numbers])[:, 1]})

    profile = ReferenceProfile.of(answered(training.features), contract)
    today: list[bool] = []
    own: list[bool] = []
    said: set[tuple[str, str, str | None]] = set()
    earlier = answered(training.features).iloc[:0]
    for base, newcomers in _months(contract, kind, customers, seed):
        found = detect_drift(profile, answered(base), contract, DIFFERS * WINDOW_SHARE * ALPHA).drifted
        news = {result.key for result in found} - said
        today.append(bool(news))
        said |= news
        new = answered(newcomers)
        p = smallest_p(profile, contract, earlier, new) if len(earlier) else 1.0
        own.append(p <= NEWCOMERS * WINDOW_SHARE * ALPHA)
        # What was said is usual from then on.
        earlier = new if own[-1] else pd.concat([earlier, new])
    return today, own


def _months(contract: Contract, kind: str, customers: int, seed: int) -> Iterator[tuple[Frame, Frame]]:
    """Yield the base of each month, and those of it who are new; nobody else's row changes."""
    count = round(REPLACED * customers)
    drawn = simulate(contract, customers + MONTHS * count, seed + 1_000_003).features
    rng = np.random.default_rng([seed, customers])
    base = drawn.iloc[:customers].reset_index(drop=True)
    for month in range(MONTHS):
        new = drawn.iloc[customers + month * count : customers + (month + 1) * count].reset_index(drop=True)
        new = KINDS[kind](new, rng) if month >= CHANGE else new
        left = rng.choice(customers, count, replace=False)
        base = pd.concat([base.drop(left), new], ignore_index=True)
        yield base, new


def smallest_p(profile: ReferenceProfile, contract: Contract, before: Frame, now: Frame) -> float:
    """Return the smallest p-value of all tests of two groups of newcomers, times their number."""
    p_values = []
    for name, scores in profile.numbers.items():
        one, other = (scores.of_column(rows[name].to_numpy(dtype="float64"))[:, 0] for rows in (before, now))
        p_values.append(float(stats.ttest_ind(one, other, equal_var=False, nan_policy="omit").pvalue))
    for column in contract.features:
        if column.kind in {"flag", "category"}:
            counts = [rows[column.name].value_counts() for rows in (before, now)]
            table = pd.concat(counts, axis=1).fillna(0).to_numpy()
            # Levels of few together, so that chi-square holds.
            few = table.sum(axis=1) * min(table.sum(axis=0)) / table.sum() < 5
            table = np.vstack([table[~few], table[few].sum(axis=0)])
            table = table[table.sum(axis=1) > 0]
            if len(table) > 1:
                p_values.append(float(stats.chi2_contingency(table, correction=False).pvalue))
    return min(1.0, len(p_values) * float(np.nanmin(p_values)))
