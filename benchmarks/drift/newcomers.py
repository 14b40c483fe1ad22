"""Only the newcomers differ: a base of which 5 % are replaced each month, until a partner brings customers of another kind.

Side by side: all customers of a window against the reference; newcomers alone, against the reference and against earlier ones;
and what a monitoring run does, the first and the last of these together, with their shares of alpha. Once without a change, and
once with newcomers who are all young accounts, as newcomers are, from the first month on: for who looks for a change, calm.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.drift.populations import REFERENCE_ROWS
from churn.contract import Contract, load_contract
from churn.simulation.simulate import simulate
from monitoring.drift.cohorts import Cohorts
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.detect import detect_drift
from monitoring.drift.families.cohort_tests import compare_cohorts, sum_up
from monitoring.drift.profile import ReferenceProfile
from monitoring.monitor import WINDOW_SHARE
from monitoring.returning_customers import DIFFERS, NEWCOMERS

ALPHA, MONTHS, CHANGE, REPLACED = 0.01, 12, 6, 0.05
SIZES = (2_000, 20_000)
CALM, YOUNG = "none", "none, but all are young accounts"
ALL, OF_REFERENCE, OF_EARLIER = "all customers alone", "newcomers against the reference", "newcomers against earlier ones"
OURS = "churn"
WHO = (ALL, OF_REFERENCE, OF_EARLIER, OURS)
# How many newcomers are compared with how many before them, without a change; and at which rates.
GROUPS = ((50, 50), (50, 500), (100, 500), (500, 2_000))
RATES = (0.01, NEWCOMERS * WINDOW_SHARE * ALPHA)
Frame = pd.DataFrame


def _minutes(rows: Frame, _rng: np.random.Generator) -> Frame:
    minutes = (rows["total_day_minutes"] * 1.2).round(1)
    return rows.assign(total_day_minutes=minutes, total_day_charge=(minutes * 0.17).round(2))


def _plan(rows: Frame, rng: np.random.Generator) -> Frame:
    return rows.assign(international_plan=np.where(rng.random(len(rows)) < 0.3, 1.0, rows["international_plan"]))


def _calls(rows: Frame, rng: np.random.Generator) -> Frame:
    return rows.assign(customer_service_calls=rows["customer_service_calls"] + (rng.random(len(rows)) < 0.5))


def _young(rows: Frame, rng: np.random.Generator) -> Frame:
    return rows.assign(account_length=rng.integers(1, 31, len(rows)).astype(float))


KINDS: dict[str, Callable[[Frame, np.random.Generator], Frame]] = {
    CALM: lambda rows, _rng: rows,
    YOUNG: _young,
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
            found += [_figures(kind, size, who, alarms[:, place]) for place, who in enumerate(WHO)]
    return found


def _figures(kind: str, size: int, who: str, alarms: np.ndarray) -> dict[str, Any]:
    """Give the share of months and lives with an alarm; with a change, of lives that found it in one, three and six months."""
    row: dict[str, Any] = {"newcomers": kind, "customers": size, "who": who, "lives": len(alarms)}
    if kind in (CALM, YOUNG):
        return row | {"alarms per month": float(alarms.mean()), "lives with an alarm": float(alarms.any(axis=1).mean())}
    after = alarms[:, CHANGE:]
    return row | {f"found by month {months}": float(after[:, :months].any(axis=1).mean()) for months in (1, 3, 6)}


def live_once(kind: str, customers: int, seed: int) -> list[list[bool]]:
    """Live one year; say for each of `WHO` and each month whether it alarmed, of what was not said before."""
    warnings.simplefilter("ignore")  # SciPy's about small counts
    contract = load_contract()
    training, answered = _model(contract, seed)
    profile = ReferenceProfile.of(training, contract)
    alpha = WINDOW_SHARE * ALPHA
    told: dict[str, list[bool]] = {who: [] for who in WHO}
    said: dict[str, set[tuple[str, str, str | None]]] = {who: set() for who in WHO}
    cohorts, known = Cohorts(), sum_up(training, training, profile)
    for month, (base, newcomers) in enumerate(_months(contract, kind, customers, seed)):
        # They come last.
        sums = sum_up(answered(newcomers), answered(base.iloc[: -len(newcomers)]), profile)
        own = False
        # Who is new is known from the second sight of the base on.
        if month:
            cohorts = cohorts.joined_by(sums, gap_days=30)
        if judged := cohorts.can_judge:
            own = bool(compare_cohorts(profile, cohorts.earlier, cohorts.waiting, NEWCOMERS * alpha).drifted)
            cohorts = cohorts.judged(drifted=own)
        shares = {ALL: DIFFERS, OURS: DIFFERS - NEWCOMERS * judged}
        found = {who: detect_drift(profile, answered(base), contract, share * alpha).drifted for who, share in shares.items()}
        found[OF_REFERENCE] = compare_cohorts(profile, known, sums, NEWCOMERS * alpha).drifted
        for who, results in found.items():
            news = {result.key for result in results} - said[who]
            told[who].append(bool(news) or (who == OURS and own))
            said[who] |= news
        told[OF_EARLIER].append(own)
    return [told[who] for who in WHO]


def calibrate(draws: int, seed: int, *, jobs: int = 1) -> list[dict[str, Any]]:
    """Compare newcomers of one kind with each other, so many times; the same seed gives the same figures."""
    parts = max(1, draws // 250)
    found = []
    for now, earlier in GROUPS:
        p_values = np.concatenate(
            Parallel(n_jobs=jobs)(delayed(_calm_p_values)(now, earlier, draws // parts, seed + n) for n in range(parts))
        )
        shares = {f"at or below {rate:.2g}": float((p_values <= rate).mean()) for rate in RATES}
        found.append({"newcomers": now, "before them": earlier, "comparisons": len(p_values)} | shares)
    return found


def _calm_p_values(now: int, earlier: int, draws: int, seed: int) -> np.ndarray:
    warnings.simplefilter("ignore")
    contract = load_contract()
    training, answered = _model(contract, seed)
    profile = ReferenceProfile.of(training, contract)
    people = answered(simulate(contract, draws * (now + earlier), seed + 1_000_003).features)
    starts = range(0, len(people), now + earlier)
    groups = [(people.iloc[at : at + now], people.iloc[at + now : at + now + earlier]) for at in starts]
    # The smaller rate is the one that decides how often rare tables are drawn.
    sums = [[sum_up(one, training, profile) for one in (past, new)] for new, past in groups]
    reports = [compare_cohorts(profile, past, new, min(RATES)) for past, new in sums]
    return np.array([report.p_value for report in reports])


def _model(contract: Contract, seed: int) -> tuple[Frame, Callable[[Frame], Frame]]:
    """Return a reference with its answers, and what answers others."""
    training = simulate(contract, REFERENCE_ROWS, seed)
    numbers = contract.numeric_features
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    model.fit(training.features[numbers], training.outcome)

    def answered(rows: Frame) -> Frame:
        return rows.assign(**{PROBABILITY: model.predict_proba(rows[numbers])[:, 1]})

    return answered(training.features), answered


def _months(contract: Contract, kind: str, customers: int, seed: int) -> Iterator[tuple[Frame, Frame]]:
    """Yield the base of each month, and those of it who are new; nobody else's row changes."""
    count = round(REPLACED * customers)
    drawn = simulate(contract, customers + MONTHS * count, seed + 1_000_003).features
    rng = np.random.default_rng([seed, customers])
    base = drawn.iloc[:customers].reset_index(drop=True)
    for month in range(MONTHS):
        new = drawn.iloc[customers + month * count : customers + (month + 1) * count].reset_index(drop=True)
        new = KINDS[kind](new, rng) if month >= CHANGE or kind == YOUNG else new
        left = rng.choice(customers, count, replace=False)
        base = pd.concat([base.drop(left), new], ignore_index=True)
        yield base, new
