"""Rows to write into a store, and what is read back, for the tests of `churn.store`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from churn.contract import Contract
from churn.ids import new_id
from churn.store.records import MonitorRun, Outcome, Prediction
from churn.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBSERVED = NOON + timedelta(days=7)  # after all predictions that tests write with `prediction`


def prediction(n: int, **changes: Any) -> Prediction:
    made = Prediction(
        prediction_id=f"p{n}",
        customer_id=f"c{n}",
        requested_at=NOON + timedelta(seconds=n),
        model_version="1",
        churn_probability=n / 100,
        threshold=0.5,
        churn=False,
        features={"total_day_minutes": float(n), "international_plan": n % 2 == 0, "state": "OH", "total_day_calls": None},
    )
    return replace(made, **changes)


def outcome(prediction_id: str, churned: bool = True) -> Outcome:
    return Outcome(churned, OBSERVED, prediction_id=prediction_id)


def by_customer(customer_id: str, churned: bool = True, observed_at: datetime = OBSERVED) -> Outcome:
    return Outcome(churned, observed_at, customer_id=customer_id)


def ids(store: Store, contract: Contract, **filters: Any) -> list[str]:
    return store.read_predictions(contract, **filters)["prediction_id"].tolist()


def monitor_run(**changes: Any) -> MonitorRun:
    made = MonitorRun(
        run_id=new_id(),
        started_at=NOON,
        model_version="1",
        last_seq=10,
        last_outcome_seq=5,
        rows=10,
        labelled_rows=5,
        covariate_alarm=True,
        concept_alarm=False,
        result={"policy": {"action": "watch"}, "p": [0.1, 0.2]},
        report="/reports/1.html",
    )
    return replace(made, **changes)
