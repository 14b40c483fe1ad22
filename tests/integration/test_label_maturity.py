"""The gate under the life of a telecom: leavers are known after a day, stayers after thirty, and customers come every day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from churn.config.params import EvaluationParams, GateParams, ModelParams, Params, TuningParams
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset
from churn.evaluation.statistics import log_losses
from churn.ids import new_id
from churn.lifecycle.gate import GateDecision, decide
from churn.lifecycle.mature_traffic import MatureTraffic, read_mature_traffic
from churn.modeling.model import Model
from churn.modeling.training import train
from churn.modeling.training_set import TrainingSet, assemble
from churn.simulation.life import Pace, live
from churn.simulation.simulate import simulate
from churn.store.records import Outcome, Prediction
from churn.store.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS, BASE, SEED = 60, 3_000, 11
PRESENT = START + DAYS * DAY
PARAMS = Params(
    model=ModelParams(form="plain"),
    tuning=TuningParams(folds=3, grid={"logreg__C": [0.1]}),
    gate=GateParams(resamples=500),
    evaluation=EvaluationParams(resamples=100),
)


@dataclass(frozen=True)
class Challenge:
    """What a training with one setting of the maturity came to."""

    traffic: MatureTraffic
    training_set: TrainingSet
    decision: GateDecision
    worse_by: float


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> Iterator[Store]:
    """Two months of a base, a thirtieth of it asked about each day, and what is known of it at their end."""
    opened = Store.open(f"sqlite:///{Path(tmp_path_factory.mktemp('life')) / 'store.db'}")
    for month in live(contract, BASE, DAYS // 30, SEED, pace=Pace(leaver_days=(1, 1), stayer_days=30)):
        people = month.customers
        assert people.customer_id is not None
        rows = people.features.replace({np.nan: None}).to_dict("records")
        asked = [START + DAY * (30 * month.number + 30 * n / BASE) for n in range(BASE)]
        ids = [new_id() for _ in rows]
        opened.write_predictions(
            [
                Prediction(i, who, moment, "1", 0.14, 0.5, False, row)
                for i, who, moment, row in zip(ids, people.customer_id, asked, rows, strict=True)
            ]
        )
        known = [moment + DAY * float(wait) for moment, wait in zip(asked, month.known_after, strict=True)]
        opened.write_outcomes(
            [
                Outcome(bool(left), moment, prediction_id=i)
                for i, left, moment in zip(ids, people.labelled, known, strict=True)
                if moment <= PRESENT
            ]
        )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def file(contract: Contract) -> Dataset:
    return simulate(contract, 2_500, seed=1)


@pytest.fixture(scope="module")
def champion(contract: Contract, file: Dataset) -> Model:
    return train(assemble(file, None, contract, PARAMS), contract, PARAMS, name="churn", trigger="first model").model


def challenge(store: Store, file: Dataset, champion: Model, contract: Contract, setting: float | None) -> Challenge:
    traffic = read_mature_traffic(store, contract, setting, newest=200_000, now=PRESENT)
    training_set = assemble(file, traffic.rows, contract, PARAMS)
    model = train(training_set, contract, PARAMS, name="churn", trigger="test").model
    decision = decide(model, champion, training_set.fresh, PARAMS, contract, serving=None)
    clean = simulate(contract, 20_000, seed=99)
    y = clean.labelled.to_numpy()
    losses = [log_losses(y, one.predict_probability(clean.features)).mean() for one in (model, champion)]
    return Challenge(traffic, training_set, decision, float(losses[0] - losses[1]))


def test_at_once_the_gate_sees_too_many_leavers_and_what_is_learned_is_worse(
    store: Store, file: Dataset, champion: Model, contract: Contract
) -> None:
    """What happened before: kept, so that the other test is known to test something."""
    found = challenge(store, file, champion, contract, 0.0)
    assert found.training_set.fresh_is_traffic
    assert found.training_set.fresh.outcome.mean() > 0.2
    assert found.worse_by > 0.005
    assert found.traffic.maturity.too_short


def test_mature_labels_say_what_is_true_and_the_wrong_promotion_is_gone(
    store: Store, file: Dataset, champion: Model, contract: Contract
) -> None:
    found = challenge(store, file, champion, contract, None)
    assert found.training_set.fresh_is_traffic
    assert found.training_set.fresh.outcome.mean() == pytest.approx(file.labelled.mean(), abs=0.03)
    assert found.traffic.cohort.unknown == 0
    assert found.worse_by < 0.001
    assert found.decision.evidence["months"][0]["month"] == "2026-01"
