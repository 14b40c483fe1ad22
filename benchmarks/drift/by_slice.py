"""Groups of customers: harm to a tenth, and drift of a tenth, with slices and without; and what they cost without drift.

Customers are the real ones, drawn anew. Who leaves is drawn by what boosted trees learned of them. Each reference has a logistic
regression of its own, its out-of-fold answers and its segments, so that windows without drift differ from it by all the chance
that is in a model's training.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_predict

from benchmarks.drift.baselines import ALPHA, EVIDENTLY_ANY, evidently_columns
from benchmarks.drift.populations import REFERENCE_ROWS
from churn.contract import Contract, load_contract
from churn.data.dataset import read_dataset
from churn.explain.attribution import Attributor
from churn.explain.frames import attribute_rows
from churn.explain.segmenter import Segmenter
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import build_pipeline
from churn.segments.find import draw_sample, find_segments
from churn.segments.segments import bounded
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from monitoring.monitor import OUTCOME_SHARE, SLICE_SHARE, STREAM_SHARE, WINDOW_SHARE
from monitoring.performance.concept_drift import detect_concept_drift
from monitoring.performance.cusum import SequentialResult
from monitoring.performance.cusum_calibration import resume
from monitoring.reference import Reference
from monitoring.slice_quality import judge_slices
from monitoring.slicing import add_segments

CALM = "none"
# Windows that one reference is compared with.
WINDOWS = 25
# Of Evidently fewer: it takes as long as all the rest.
EVIDENTLY_WINDOWS = 5
RUN, WITHOUT, OUTCOME_SLICES, DRIFT_SLICES = "whole run", "run without slices", "slices, outcomes", "slices, predictions"
WHO = (RUN, WITHOUT, OUTCOME_SLICES, DRIFT_SLICES, EVIDENTLY_ANY)
Customers = pd.DataFrame
Case = Callable[[Customers, np.ndarray, np.random.Generator], tuple[Customers, np.ndarray]]


@dataclass
class Tally:
    """How often each alarmed on windows of one case and size.

    Attributes
    ----------
    seconds : float
        CPU time of judging slices, a window.
    """

    case: str
    rows: int
    alarms: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Add those of another reference."""
        self.alarms.update(other.alarms)
        self.windows.update(other.windows)
        self.seconds += other.seconds

    def figures(self) -> dict[str, Any]:
        """Give the shares of alarms, with the 95 % upper bound of the run's (Clopper-Pearson)."""
        rates = {who: self.alarms[who] / self.windows[who] for who in WHO if self.windows[who]}
        test = stats.binomtest(self.alarms[RUN], self.windows[RUN], alternative="less")
        bound = float(test.proportion_ci(method="exact").high)
        size = {"case": self.case, "rows": self.rows, "windows": self.windows[RUN]}
        return size | rates | {"upper bound of the run": bound, "ms of slices": 1000 * self.seconds / self.windows[RUN]}


def _worse_plan(drawn: Customers, p: np.ndarray, _rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
    return drawn, np.where(drawn["international_plan"] == 1, np.minimum(p + 0.3, 1.0), p)


def _worse_new(drawn: Customers, p: np.ndarray, _rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
    return drawn, np.where(drawn["account_length"] < 50, np.minimum(p + 0.2, 1.0), p)


def _calling_plan(drawn: Customers, p: np.ndarray, _rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
    minutes = drawn["total_day_minutes"].where(drawn["international_plan"] != 1, drawn["total_day_minutes"] * 1.3).round(1)
    return drawn.assign(total_day_minutes=minutes, total_day_charge=(minutes * 0.17).round(2)), p


def _calling_new(drawn: Customers, p: np.ndarray, rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
    more = 2.0 * ((drawn["account_length"] < 50) & (rng.random(len(drawn)) < 0.5))
    return drawn.assign(customer_service_calls=drawn["customer_service_calls"] + more), p


def _same(drawn: Customers, p: np.ndarray, _rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
    return drawn, p


CASES: dict[str, Case] = {
    CALM: _same,
    "international plan: 30 points more leave": _worse_plan,
    "account under 50 days: 20 points more leave": _worse_new,
    "international plan: day minutes +30 %": _calling_plan,
    "account under 50 days: half call service twice more": _calling_new,
}


@dataclass(frozen=True)
class Fixture:
    """Customers, and how probable it is that each leaves."""

    contract: Contract
    customers: Customers
    leaving: np.ndarray

    @classmethod
    def of(cls, data: Path) -> Fixture:
        """Learn of the real customers who leaves."""
        contract = load_contract()
        dataset = read_dataset(data, contract)
        known = dataset.labelled.notna().to_numpy()
        numbers = dataset.features[contract.numeric_features]
        trees = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08, random_state=0)
        trees.fit(numbers[known], dataset.labelled[known].astype("int64"))
        return cls(contract, dataset.features, trees.predict_proba(numbers)[:, 1])

    def draw(self, rows: int, rng: np.random.Generator) -> tuple[Customers, np.ndarray]:
        """Draw customers, with their probabilities to leave."""
        places = rng.integers(0, len(self.customers), rows)
        return self.customers.iloc[places].reset_index(drop=True), self.leaving[places]


def run(
    data: Path,
    calm_references: int,
    references: int,
    seed: int,
    *,
    sizes: tuple[int, ...] = (1_000, 5_000),
    windows: int = WINDOWS,
    jobs: int = 1,
) -> list[dict[str, Any]]:
    """Judge windows of each case and size; the same seed gives the same figures."""
    fixture = Fixture.of(data)
    tasks = [
        (case, rows, seed + number)
        for case in CASES
        for rows in sizes
        for number in range(calm_references if case == CALM else references)
    ]
    found: dict[tuple[str, int], Tally] = {}
    for tally in Parallel(n_jobs=jobs)(delayed(_judge)(fixture, *task, windows=windows) for task in tasks):
        found.setdefault((tally.case, tally.rows), Tally(tally.case, tally.rows)).add(tally)
    return [tally.figures() for tally in found.values()]


def _judge(fixture: Fixture, case: str, rows: int, seed: int, *, windows: int = WINDOWS) -> Tally:
    """Judge the windows that come to one reference."""
    warnings.simplefilter("ignore")  # SciPy's and Evidently's about small counts
    rng, contract, tally = np.random.default_rng([seed, rows, list(CASES).index(case)]), fixture.contract, Tally(case, rows)
    numbers = contract.numeric_features
    features, leaving = fixture.draw(REFERENCE_ROWS, rng)
    outcome = (rng.random(REFERENCE_ROWS) < leaving).astype(np.float64)
    model = build_pipeline(seed)
    answers = cross_val_predict(model, features[numbers], outcome, cv=5, method="predict_proba")[:, 1]
    model.fit(features[numbers], outcome)
    served = model.predict_proba(features[numbers])[:, 1]
    rows_of = features.assign(churn_probability=answers, churned=outcome, served_probability=served)
    compiled = compile_pipeline(model, numbers, contract)
    assert compiled is not None
    sample = draw_sample(features[numbers])
    segments = find_segments(sample, bounded(attribute_rows(Attributor(compiled), sample)), contract, seed)
    segmenter = Segmenter.of(compiled, segments) if len(segments.names) > 1 else None
    reference = Reference.of(rows_of, contract, segmenter=segmenter)
    plain = ReferenceProfile.of(features.assign(churn_probability=served), contract)
    stream: SequentialResult | None = None
    for number in range(windows):
        drawn, p = CASES[case](*fixture.draw(rows, rng), rng)
        window = drawn.assign(
            churn_probability=model.predict_proba(drawn[numbers])[:, 1], churned=(rng.random(rows) < p).astype(np.float64)
        )
        began = time.process_time()
        sliced = add_segments(window, segmenter)
        members = reference.slicing.members_of(sliced)
        judged = judge_slices(reference.baselines, sliced, members, reference.slicing.params.min_rows, SLICE_SHARE * ALPHA)
        tally.seconds += time.process_time() - began
        drift = detect_drift(reference.profile, sliced, contract, WINDOW_SHARE * ALPHA)
        stream = resume(stream, reference.outcomes, window, false_alarm_rate=STREAM_SHARE * ALPHA)
        by_outcome = any(one.alarm for one in judged)
        by_drift = any(one.aspect == "slice" and one.drifted for one in drift.results)
        with_slices = detect_concept_drift(reference.outcomes, window, (OUTCOME_SHARE - SLICE_SHARE) * ALPHA).alarm
        alarms = {
            RUN: drift.alarm or stream.alarm or with_slices or by_outcome,
            WITHOUT: detect_drift(plain, window, contract, WINDOW_SHARE * ALPHA).alarm
            or stream.alarm
            or detect_concept_drift(reference.outcomes, window, OUTCOME_SHARE * ALPHA).alarm,
            OUTCOME_SLICES: by_outcome,
            DRIFT_SLICES: by_drift,
        }
        if number < EVIDENTLY_WINDOWS:
            alarms[EVIDENTLY_ANY] = any(evidently_columns(features, window, contract))
        for who, alarm in alarms.items():
            tally.alarms[who] += alarm
            tally.windows[who] += 1
    return tally
