from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churn.config.settings import Settings
from churn.contract import Contract
from churn.ids import new_id
from churn.store.outcomes.delays import Delays
from churn.store.predictions.log_reader import LOG_COLUMNS
from churn.store.predictions.window_reader import ANSWERS, PART_COLUMNS, Span
from churn.store.records import Decision, MonitorRun, Outcome, Prediction
from churn.store.store import Store
from churn.store.treatment.marks import CONTACT_EFFECT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

CONTRACT = Contract.model_validate(
    {
        "name": "small",
        "columns": [
            {"name": "minutes", "source": "Minutes", "kind": "number", "unit": "minutes", "nullable": True},
            {"name": "calls", "source": "Calls", "kind": "integer", "nullable": True},
            {"name": "plan", "source": "Plan", "kind": "flag", "nullable": True},
            {"name": "state", "source": "State", "kind": "category", "levels": [f"S{n:02}" for n in range(51)], "nullable": True},
        ],
    }
)


def make_settings(home: Path = Path("/nowhere"), **overrides: Any) -> Settings:
    values = {"min_window_rows": 50, "min_labelled_rows": 20, "max_window_rows": 1000, "cooldown_seconds": 600} | overrides
    return Settings(home=home, **values)


def customers(rows: int, seed: int, *, plan_share: float = 0.0, minutes: float = 180.0) -> pd.DataFrame:
    """Calibrated customers: they leave with just the probability that the model says."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(minutes, 50, rows)
    p = 1 / (1 + np.exp(-(-2.2 + (drawn - 180) / 60)))
    return pd.DataFrame(
        {
            "churn_probability": p,
            "churned": (rng.random(rows) < p).astype(float),
            "minutes": drawn,
            "calls": rng.poisson(100, rows).astype(float),
            "plan": (rng.random(rows) < plan_share).astype(float),
            "state": rng.choice(CONTRACT["state"].levels, rows).astype(object),
        }
    )


def logged(frame: pd.DataFrame, *, start: int = 1, labelled: bool = True) -> pd.DataFrame:
    """Customers as the store's log gives them."""
    seq = np.arange(start, start + len(frame))
    head = pd.DataFrame(
        {
            "seq": seq,
            "prediction_id": [f"p{n}" for n in seq],
            "customer_id": None,
            "requested_at": [NOW - timedelta(seconds=1000 - int(n)) for n in range(len(frame))],
            "model_version": "1",
            "threshold": 0.5,
            "churn_probability": frame["churn_probability"].to_numpy(),
            "churned": frame["churned"].to_numpy() if labelled else np.nan,
            "observed_at": NOW if labelled else None,
            "outcome_seq": seq.astype(float) if labelled else np.nan,
        },
        columns=[*LOG_COLUMNS, "threshold"],
    )
    return pd.concat([head, frame[CONTRACT.feature_names].reset_index(drop=True)], axis=1)


def make_record(**overrides: Any) -> MonitorRun:
    values: dict[str, Any] = {
        "run_id": "r1",
        "started_at": NOW,
        "model_version": "1",
        "last_seq": 0,
        "last_outcome_seq": 0,
        "rows": 200,
        "labelled_rows": 100,
        "covariate_alarm": False,
        "concept_alarm": False,
        "result": {},
    }
    return MonitorRun(**values | overrides)


def launch(rows: int, seed: int) -> pd.DataFrame:
    """A new plan that half of the customers have, and all who have it leave."""
    frame = customers(rows, seed, plan_share=0.5)
    frame.loc[frame["plan"] == 1, "churned"] = 1.0
    return frame


def serve(
    store: Store, frame: pd.DataFrame, version: str = "1", asked: list[datetime] | None = None, contract: Contract = CONTRACT
) -> list[str]:
    """Log predictions in a real store, as the service does; give their ids."""
    batch = [
        Prediction(
            prediction_id=new_id(),
            customer_id=row.get("customer_id"),
            requested_at=NOW + timedelta(seconds=n) if asked is None else asked[n],
            model_version=version,
            churn_probability=float(row["churn_probability"]),
            threshold=0.5,
            churn=bool(row["churn_probability"] >= 0.5),
            features={
                name: None if isinstance(row[name], float) and math.isnan(row[name]) else row[name]
                for name in contract.feature_names
            },
        )
        for n, row in enumerate(frame.to_dict("records"))
    ]
    store.write_predictions(batch)
    return [prediction.prediction_id for prediction in batch]


def come_true(store: Store, ids: list[str], frame: pd.DataFrame) -> None:
    store.write_outcomes(
        [Outcome(bool(y), NOW + timedelta(days=30), prediction_id=i) for i, y in zip(ids, frame["churned"], strict=True)]
    )


class FakeStore:
    """Keeps everything in lists, newest first, and tells what it was asked."""

    def __init__(self, log: pd.DataFrame | None = None) -> None:
        self.log = log if log is not None else logged(customers(0, 0))
        self.runs: list[MonitorRun] = []
        self.written: list[Decision] = []
        self.levels: dict[str, dict[str, str]] = {}

    def read_sensitive_levels(self, customer_ids: list[str]) -> dict[str, dict[str, str]]:
        return {who: self.levels[who] for who in customer_ids if who in self.levels}

    def find_span(self, model_version: str, *, after_seq: int, newest: int) -> Span:
        seqs = self.log.loc[(self.log["seq"] > after_seq) & (self.log["model_version"] == model_version), "seq"].tail(newest)
        return Span(len(seqs), int(seqs.min()), int(seqs.max())) if len(seqs) else Span(0, 0, 0)

    def iter_predictions(
        self, contract: Contract, model_version: str, span: Span, *, share: float = 1.0, newest_first: bool = False
    ) -> Iterator[pd.DataFrame]:
        rows = self.log[self.log["seq"].between(span.first_seq, span.last_seq) & (self.log["model_version"] == model_version)]
        yield rows[[*PART_COLUMNS, *contract.feature_names]].iloc[:: -1 if newest_first else 1].reset_index(drop=True)

    def read_last_seen(
        self, contract: Contract, seqs: list[int], *, before_seq: int, until: datetime | None = None
    ) -> pd.DataFrame:
        now = self.log.loc[self.log["seq"].isin(seqs) & self.log["customer_id"].notna(), ["seq", "customer_id"]]
        earlier = self.log[self.log["seq"] < before_seq]
        if until is not None:
            earlier = earlier[earlier["requested_at"] <= until]
        last = earlier.sort_values(["requested_at", "seq"]).drop_duplicates("customer_id", keep="last")
        found = now.rename(columns={"seq": "now"}).merge(last, on="customer_id").sort_values("now").reset_index(drop=True)
        return found[["now", "seq", "requested_at", "model_version", "churn_probability", *contract.feature_names]]

    def read_outcomes(
        self,
        model_version: str,
        *,
        after_outcome_seq: int,
        newest: int,
        mature: tuple[datetime, datetime] | None = None,
        contact_effect: timedelta = CONTACT_EFFECT,
    ) -> pd.DataFrame:
        del contact_effect  # nobody is contacted
        rows = self.log[self.log["model_version"] == model_version]
        new = rows["outcome_seq"] > after_outcome_seq
        if mature is not None:
            new = (new | (rows["requested_at"] > mature[0])) & (rows["requested_at"] <= mature[1])
        found = rows.loc[new & rows["outcome_seq"].notna(), [*ANSWERS, "churned", "outcome_seq", "customer_id"]]
        return found.tail(newest).reset_index(drop=True)

    def read_features(self, contract: Contract, seqs: list[int]) -> pd.DataFrame:
        return self.log.loc[self.log["seq"].isin(seqs), ["seq", *contract.feature_names]].reset_index(drop=True)

    def outcome_delays(self, now: datetime) -> Delays:
        known = self.log.loc[self.log["churned"].notna()]
        return Delays(np.zeros(int(known["churned"].sum())), np.zeros(int((1 - known["churned"]).sum())))

    def count_outcome_corrections(self, model_version: str, *, judged_seq: int, since: datetime) -> int:
        return 0

    def monitor_runs(self, *, limit: int = 50, model_version: str | None = None, judged: str | None = None) -> list[MonitorRun]:
        rows = {None: lambda run: 1, "predictions": lambda run: run.rows, "outcomes": lambda run: run.labelled_rows}[judged]
        return [run for run in self.runs if model_version in (None, run.model_version) and rows(run)][:limit]

    def write_monitor_run(self, run: MonitorRun, decision: Decision | None = None, *, follows: str | None = None) -> bool:
        windows = {(r.model_version, r.last_seq, r.last_outcome_seq, r.mature_until) for r in self.runs}
        if (run.model_version, run.last_seq, run.last_outcome_seq, run.mature_until) in windows:
            return False
        self.runs.insert(0, run)
        if decision is not None:
            self.written.insert(0, decision)
        return True

    def decisions(
        self, *, kind: str | None = None, since: datetime | None = None, until: datetime | None = None, limit: int = 100
    ) -> list[Decision]:
        found = [d for d in self.written if d.kind == kind and (since is None or d.decided_at >= since)]
        found = [d for d in found if until is None or d.decided_at <= until]
        return found[:limit]

    def write_decision(self, decision: Decision) -> None:
        self.written.insert(0, decision)
