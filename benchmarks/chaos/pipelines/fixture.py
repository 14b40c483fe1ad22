"""A small company for the failure modes of the pipelines: customers, quick params, a home, a store, and a registry of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from churn.clock import now
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset
from churn.ids import new_id
from churn.modeling.model import Model
from churn.registry.registry import Registry
from churn.simulation.simulate import SCENARIOS, simulate, write_csv
from churn.store.records import Decision, DecisionKind, Outcome, Prediction
from churn.store.store import Store

QUICK = """
seed: 17
model: {form: plain}
tuning: {grid: {logreg__C: [0.1]}, folds: 2}
evaluation: {resamples: 100}
gate: {resamples: 200, min_fresh_rows: 100}
"""
CUSTOMERS = 500
EVERYTHING = 10_000


@dataclass(frozen=True)
class Fixture:
    """What a scenario plays with.

    Attributes
    ----------
    environment : dict
        For the processes of it.
    """

    settings: Settings
    contract: Contract
    environment: dict[str, str]

    def store(self) -> Store:
        """Open the store anew."""
        return Store.open(self.settings.store_url)

    def registry(self) -> Registry:
        """Ask the registry anew."""
        return Registry(self.settings)

    def decisions(self, *kinds: DecisionKind) -> list[Decision]:
        """List decisions, oldest first."""
        store = self.store()
        try:
            return store.decisions(kind=kinds, limit=EVERYTHING)[::-1]
        finally:
            store.close()

    def serve(self, model: Model, customers: Dataset) -> None:
        """Predict and say what came true, as the service would."""
        probability = model.predict_probability(customers.features)
        batch = [
            Prediction(new_id(), None, now(), model.info.version, float(p), 0.5, bool(p >= 0.5), row)
            for p, row in zip(probability, cast(list[dict[str, Any]], customers.features.to_dict("records")), strict=True)
        ]
        store = self.store()
        try:
            store.write_predictions(batch)
            store.write_outcomes(
                [Outcome(bool(y), now(), p.prediction_id) for p, y in zip(batch, customers.labelled, strict=True)]
            )
        finally:
            store.close()


def make_fixture(home: Path, **settings: str) -> Fixture:
    """Make one in an empty folder; `settings` are CHURN_ variables in small letters."""
    home.mkdir(parents=True, exist_ok=True)
    contract = load_contract()
    write_csv(simulate(contract, CUSTOMERS, 1, shift=SCENARIOS["before-launch"].shift), contract, home / "customers.csv")
    (home / "params.yaml").write_text(QUICK)
    chosen = {
        **{"home": str(home), "data": str(home / "customers.csv"), "params": str(home / "params.yaml")},
        **{"cooldown_seconds": "0", "max_retrains_per_day": "100"},
        **settings,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "PREFECT_", "MLFLOW_"))}
    environment = kept | {f"CHURN_{name.upper()}": value for name, value in chosen.items()}
    return Fixture(load_settings(**chosen), contract, environment)
