from __future__ import annotations

from churn.config.params import ModelParams, Params
from churn.contract import Contract
from churn.simulation.pretraining import pretraining_customers
from churn.simulation.simulate import simulate


def params(form: str = "deep", rows: int = 50) -> Params:
    return Params.model_validate({"seed": 5, "model": {"form": form, "pretraining_rows": rows}})


def test_they_are_simulated_for_networks_alone_and_as_many_as_asked(contract: Contract) -> None:
    found = pretraining_customers(contract, params())
    assert found is not None
    assert len(found) == 50
    assert found.features.columns.tolist() == contract.feature_names
    assert pretraining_customers(contract, params("terms")) is None
    assert pretraining_customers(contract, params(rows=0)) is None
    assert ModelParams().pretraining_rows > 0


def test_without_a_declared_population_there_is_nothing_to_learn(contract: Contract) -> None:
    assert pretraining_customers(contract.model_copy(update={"population": None}), params()) is None


def test_they_are_the_same_each_time_and_nobody_that_a_seed_of_that_number_gives(contract: Contract) -> None:
    first, again = pretraining_customers(contract, params()), pretraining_customers(contract, params())
    assert first is not None
    assert again is not None
    assert first.features.equals(again.features)
    assert not first.features.equals(simulate(contract, 50, 5).features)
