from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.clock import now
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.customers.frame import frame_from_records
from churn.data.dataset import Dataset
from churn.modeling.model import Model, ModelInfo
from churn.registry.serialization import dump_pipeline
from churn.simulation.simulate import simulate
from pipelines.flows.serving_check import MAX_ROWS, check_serving
from service.scoring.scored_batch import ScoredBatch
from service.scoring.served_model import ServedModel

TIMED = 9


@pytest.fixture(autouse=True)
def few_answers_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.flows.serving_check.SINGLE_ROWS", TIMED)


class Foreign(TransformerMixin, BaseEstimator):
    """A step of a class that no service trusts."""

    def fit(self, frame: pd.DataFrame, outcome: object = None) -> Foreign:
        self.fitted_ = True
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


def clock(*seconds: float) -> Iterator[float]:
    """Ticks: what each answer takes, in turn, for ever."""
    time = 0.0
    for duration in cycle(seconds):
        yield time
        time += duration
        yield time


@pytest.fixture(scope="module")
def customers(contract: Contract) -> Dataset:
    return simulate(contract, 800, 3)


def fitted(contract: Contract, customers: Dataset, *first: tuple[str, object]) -> Model:
    pipeline = Pipeline([*first, ("imputer", SimpleImputer()), ("scaler", StandardScaler()), ("logreg", LogisticRegression())])
    features = contract.numeric_features
    pipeline.fit(customers.features[features], customers.labelled)
    known = {"data_digest": "", "data_source": "", "rows": 800, "contract": contract.name, "contract_digest": contract.digest}
    return Model(pipeline, ModelInfo(name="m", trained_at=now(), features=features, threshold=0.5, **known))


@pytest.fixture(scope="module")
def challenger(contract: Contract, customers: Dataset) -> Model:
    return fitted(contract, customers)


def test_a_sound_model_is_served_as_it_is(contract: Contract, customers: Dataset, challenger: Model) -> None:
    ticks = clock(0.002, 0.003, 0.9)
    result = check_serving(challenger, customers.features, contract, clock=lambda: next(ticks))
    assert result.rows == MAX_ROWS
    assert result.max_difference is not None
    assert result.max_difference <= 1e-9
    assert result.latency_ms == pytest.approx(3.0), "the median, not the mean"
    assert result.refused == ""


def test_a_model_that_answers_otherwise_after_it_was_written_is_found(
    contract: Contract, customers: Dataset, challenger: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = fitted(contract, simulate(contract, 800, 4)).pipeline
    monkeypatch.setattr("pipelines.flows.serving_check.dump_pipeline", lambda pipeline: dump_pipeline(written))
    result = check_serving(challenger, customers.features, contract)
    assert result.max_difference is not None
    assert result.max_difference > 1e-3


def test_customers_are_asked_with_numbers_missing(
    contract: Contract, customers: Dataset, challenger: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, pd.DataFrame] = {}
    score, predict = ServedModel.score_columns, Model.predict_probability

    def scored(self: ServedModel, many: CustomerColumns) -> ScoredBatch:
        asked["served"] = many.frame(contract)
        return score(self, many)

    def predicted(self: Model, features: pd.DataFrame) -> np.ndarray:
        asked["own"] = features
        return predict(self, features)

    monkeypatch.setattr(ServedModel, "score_columns", scored)
    monkeypatch.setattr(Model, "predict_probability", predicted)
    check_serving(challenger, customers.features, contract)
    own = asked["own"]
    pd.testing.assert_frame_equal(asked["served"], own)
    numbers = [column.name for column in contract.features if column.kind in ("number", "integer")]
    assert own[numbers].isna().any().all()
    assert own[numbers].isna().any(axis=1).mean() == pytest.approx(0.5, abs=0.01)
    assert not customers.features.isna().any().any(), "the caller's frame is left as it was"


def test_a_model_the_service_would_refuse_is_a_result_and_no_crash(contract: Contract, customers: Dataset) -> None:
    result = check_serving(fitted(contract, customers, ("foreign", Foreign())), customers.features, contract)
    assert (result.rows, result.max_difference, result.latency_ms) == (0, None, None)
    assert "not trusted" in result.refused
    assert "Foreign" in result.refused


def test_a_customer_no_request_can_hold_is_told(contract: Contract, customers: Dataset, challenger: Model) -> None:
    result = check_serving(challenger, customers.features.assign(total_day_minutes=-1.0), contract)
    assert result.max_difference is None
    assert result.refused.startswith("total_day_minutes: no request can hold it")


def test_few_customers_are_asked_once_each_and_timed_as_often_as_many(
    contract: Contract, customers: Dataset, challenger: Model
) -> None:
    readings = iter(range(10_000))
    result = check_serving(challenger, customers.features.head(7), contract, clock=lambda: float(next(readings)))
    assert (result.rows, result.latency_ms) == (7, 1000.0)
    assert next(readings) == 2 * TIMED


def test_of_a_customer_of_whom_one_thing_is_known_nothing_is_left_out(contract: Contract, challenger: Model) -> None:
    # The first row is the one whose first number would be left out.
    asked = frame_from_records([{"account_length": 10.0}], contract)
    assert check_serving(challenger, asked, contract).rows == 1


def test_empty_customers_are_not_asked(contract: Contract, customers: Dataset, challenger: Model) -> None:
    empty = frame_from_records([{}, {}], contract)
    result = check_serving(challenger, empty, contract)
    assert result.refused == "there is no fresh customer to ask about"
