"""Stands for the parts of the demo's system: a service, a store, a registry, and customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from churn.data.dataset import Dataset
from churn.store.records import Decision, DecisionAction, DecisionKind
from pipelines.demo.customers import PLAN, Cast
from tests.unit.monitoring.results import make_result


def people(rows: int = 20, *, simulated: bool = False) -> Dataset:
    plan = (np.arange(rows) % 2).astype(float)
    return Dataset(pd.DataFrame({PLAN: plan}), pd.Series(plan), source="s", simulated=simulated)


CAST = Cast(people(), [people(), people(), people()], [people(n) for n in (20, 22, 24, 26)])
CALM = make_result(action=DecisionAction.NONE)
SHIFT = make_result(covariate_alarm=True, action=DecisionAction.WATCH)
CONCEPT = make_result(concept_alarm=True, action=DecisionAction.RETRAIN)
BOTH = make_result(covariate_alarm=True, concept_alarm=True, action=DecisionAction.RETRAIN)


class Client:
    """Stands for the service: answers as version `version`."""

    def __init__(self) -> None:
        self.version = "1"
        self.accepted: int | None = None
        self.reported: list[int] = []
        self.windows: list[str] = []

    def get(self, route: str) -> dict[str, Any]:
        assert route == "/model"
        return {"version": self.version}

    def predict(self, customers: Dataset, name: str) -> list[dict[str, Any]]:
        self.windows.append(name)
        return [{"churn_probability": 0.2, "threshold": 0.5, "model_version": self.version} for _ in range(len(customers))]

    def report_outcomes(self, answers: list[dict[str, Any]], customers: Dataset) -> int:
        assert len(answers) == len(customers)
        self.reported.append(len(customers))
        return len(customers) if self.accepted is None else self.accepted


class Model:
    """Gives those with the plan and those without it a probability each."""

    def __init__(self, with_plan: float, without: float = 0.1) -> None:
        self._with, self._without = with_plan, without

    def predict_probability(self, features: pd.DataFrame) -> Any:
        return np.where(features[PLAN] == 1, self._with, self._without)


class Store:
    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.told: list[Decision] = []
        self.closed = False

    def monitor_runs(self, *, limit: int) -> list[Any]:
        assert limit == 1
        return self.runs[:limit]

    def decisions(self, *, kind: DecisionKind) -> list[Decision]:
        assert kind == DecisionKind.RETRAIN
        return list(self.told)

    def close(self) -> None:
        self.closed = True


class Registry:
    def __init__(self) -> None:
        self.models: dict[str, Model] = {"1": Model(0.2), "champion": Model(0.8)}

    def load(self, version: str) -> Model:
        return self.models[version]
