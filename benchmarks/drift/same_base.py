"""One base of customers, scored every night for sixty nights: who alarms without a change, and who finds a change, how often.

The base lives through months (`churn.simulation.life`): each customer's row changes with the bill, which comes on a day of its
own or, in the harder case, to all on the same day; who leaves is followed by somebody new. Each night goes through the real store
and the real monitoring run. Everybody judges the same nights.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.drift.baselines import EVIDENTLY_ANY, EVIDENTLY_DATASET, evidently_defaults
from benchmarks.drift.populations import REFERENCE_ROWS
from benchmarks.drift.scale import as_records
from churn.config.settings import Settings
from churn.contract import Contract, load_contract
from churn.simulation.life import live
from churn.simulation.simulate import simulate
from churn.store.records import TIME_FORMAT, PredictionRow
from churn.store.store import Store
from monitoring.drift.detect import detect_drift
from monitoring.monitor import WINDOW_SHARE, record_run, run_monitor
from monitoring.reference import Reference

CUSTOMERS, NIGHTS, CHANGE = 2_000, 60, 30
DAYS_OF_MONTH = 30
# A change counts as found if somebody alarms in one of so many nights, and did not in so many before it.
NIGHTS_TO_FIND = 3
ALPHA = 0.01
START = datetime(2026, 1, 1, 3, tzinfo=UTC)
OURS, UNPAIRED = "churn", "churn without memory (before)"
WHO = (OURS, UNPAIRED, EVIDENTLY_ANY, EVIDENTLY_DATASET)
Night = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def _usage(factor: float) -> Night:
    def change(rows: pd.DataFrame, _rng: np.random.Generator) -> pd.DataFrame:
        minutes = (rows["total_day_minutes"] * factor).round(1)
        return rows.assign(total_day_minutes=minutes, total_day_charge=(minutes * 0.17).round(2))

    return change


def _price(rows: pd.DataFrame, _rng: np.random.Generator) -> pd.DataFrame:
    return rows.assign(total_day_charge=(rows["total_day_charge"] * 1.02).round(2))


def _fault(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return rows.assign(customer_service_calls=rows["customer_service_calls"].mask(rng.random(len(rows)) < 0.01))


CHANGES: dict[str, Night] = {
    "usage by day +3 %": _usage(1.03),
    "usage by day +10 %": _usage(1.1),
    "price by day +2 %": _price,
    "1 % of a column missing": _fault,
}
CASES = ("none", "none, all bills on one day", *CHANGES)


@dataclass
class Lives:
    """What everybody said of so many lives of one case: night by night, whether there was an alarm."""

    case: str
    nights: dict[str, list[list[bool]]] = field(default_factory=lambda: {who: [] for who in WHO})

    def figures(self) -> Iterator[dict[str, Any]]:
        """Yield what is to be shown of each: without a change the false alarms, with one what was found and how often said."""
        for who, lives in self.nights.items():
            table = np.array(lives, dtype=bool)
            row: dict[str, Any] = {"case": self.case, "who": who, "lives": len(table)}
            if self.case.startswith("none"):
                # Nights of one base go together: the bound counts lives.
                spread = table.mean(axis=1)
                bound = spread.mean() + stats.norm.isf(0.05) * spread.std(ddof=1) / np.sqrt(len(table)) if len(table) > 1 else 1.0
                yield row | {
                    "alarms per night": float(table.mean()),
                    "95 % upper bound": float(bound),
                    "lives with an alarm": float(table.any(axis=1).mean()),
                    "most alarms in a life": int(table.sum(axis=1).max()),
                }
            else:
                calm = ~table[:, CHANGE - NIGHTS_TO_FIND : CHANGE].any(axis=1)
                after = table[:, CHANGE:]
                yield row | {
                    "found": float((calm & after[:, :NIGHTS_TO_FIND].any(axis=1)).mean()),
                    "nights with an alarm after it": float(after.sum(axis=1).mean()),
                    "of": after.shape[1],
                }


def run(
    lives: int, seed: int, *, nights: int = NIGHTS, customers: int = CUSTOMERS, cases: tuple[str, ...] = CASES
) -> list[Lives]:
    """Let so many bases live through each case."""
    warnings.simplefilter("ignore")  # SciPy's and Evidently's about small counts
    found = {case: Lives(case) for case in cases}
    for case, told in found.items():
        for number in range(lives):
            for who, alarms in live_once(case, seed + number, nights=nights, customers=customers).items():
                told.nights[who].append(alarms)
    return list(found.values())


def live_once(case: str, seed: int, *, nights: int, customers: int) -> dict[str, list[bool]]:
    """Live one life; say for each night whether each alarmed."""
    contract = load_contract()
    training = simulate(contract, REFERENCE_ROWS, seed)
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    numbers = [column.name for column in contract.features if column.is_numeric]
    model.fit(training.features[numbers], training.outcome)

    def answered(rows: pd.DataFrame) -> pd.DataFrame:
        p = model.predict_proba(rows[numbers])[:, 1]
        return rows.assign(churn_probability=p, served_probability=p)

    assert training.outcome is not None
    before = answered(training.features).assign(churned=training.outcome.astype("float64"))
    reference = Reference.of(before, contract)
    told: dict[str, list[bool]] = {who: [] for who in WHO}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), false_alarm_rate=ALPHA)
        store = Store.open(f"sqlite:///{folder}/store.db")
        for night, (ids, rows) in enumerate(_nights(contract, case, seed, nights, customers)):
            now = START + timedelta(days=night)
            scored = answered(rows)
            _log(store, contract, ids, scored, now)
            monitoring_run = run_monitor(store, contract, settings, "1", reference, now=now + timedelta(hours=1))
            record_run(store, monitoring_run)
            told[OURS].append(monitoring_run.result.covariate_alarm)
            unpaired = detect_drift(reference.profile, scored, contract, WINDOW_SHARE * ALPHA)
            told[UNPAIRED].append(unpaired.covariate_alarm or unpaired.prediction_alarm)
            for who, alarm in evidently_defaults(before, scored, contract).items():
                told[who].append(alarm)
        store.close()
    return told


def _nights(contract: Contract, case: str, seed: int, nights: int, customers: int) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the base of each night: who it is, and what is written down of each."""
    # Another seed than the training file's: the base is of the same population, and of other people.
    months = list(live(contract, customers, nights // DAYS_OF_MONTH + 2, seed + 1_000_003))
    bills = np.random.default_rng([seed, 1]).integers(0, DAYS_OF_MONTH, customers)
    if case == "none, all bills on one day":
        bills[:] = 0
    for night in range(nights):
        month = (night + DAYS_OF_MONTH - bills) // DAYS_OF_MONTH
        rows = pd.concat([months[m].customers.features[month == m] for m in np.unique(month)]).sort_index()
        names = [months[m].customers.customer_id for m in np.unique(month)]
        ids = pd.concat([part[month == m] for part, m in zip(names, np.unique(month), strict=True) if part is not None])
        if case in CHANGES and night >= CHANGE:
            # The same customers are affected in each night.
            rows = CHANGES[case](rows, np.random.default_rng([seed, 2]))
        yield ids.sort_index().tolist(), rows


def _log(store: Store, contract: Contract, ids: list[str], scored: pd.DataFrame, now: datetime) -> None:
    texts = [orjson.dumps(record).decode() for record in as_records(scored, contract)]
    at, answers = now.strftime(TIME_FORMAT), scored["churn_probability"].tolist()
    rows = [
        PredictionRow(f"{now:%j}-{n}", who, at, "1", answers[n], 0.16, answers[n] >= 0.16, texts[n]) for n, who in enumerate(ids)
    ]
    store.write_rows(rows)
