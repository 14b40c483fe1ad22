"""Both scorers answer what the pipeline answers, one by one and many at once, whatever columns the model reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from service.scoring.scorer import CompiledScorer, PipelineScorer, one_customer
from tests.unit.service.fakes import FEATURES, make_model

SOME = ["total_day_minutes", "customer_service_calls", "international_plan"]


@pytest.fixture(scope="module")
def customers(contract: Contract) -> pd.DataFrame:
    frame = simulate(contract, 40, seed=3).features[contract.feature_names]
    frame.iloc[::7, 3] = np.nan
    return frame


def records(frame: pd.DataFrame, contract: Contract) -> list[list[object]]:
    """One value per feature, as requests are validated."""

    def value(name: str, cell: object) -> object:
        if cell is None or cell != cell:  # noqa: PLR0124 -- NaN
            return None
        return bool(cell) if contract[name].kind == "flag" else cell

    return [[value(name, row[name]) for name in contract.feature_names] for row in frame.to_dict("records")]


def columns(frame: pd.DataFrame, contract: Contract) -> CustomerColumns:
    parts = [one_customer(row, contract).values for row in records(frame, contract)]
    return CustomerColumns({name: np.concatenate([part[name] for part in parts]) for name in contract.feature_names})


@pytest.mark.parametrize("names", [["total_day_minutes"], SOME, SOME[::-1]])
def test_both_scorers_are_the_pipeline_whatever_it_reads(names: list[str], customers: pd.DataFrame, contract: Contract) -> None:
    model = make_model("1", features=names)
    compiled = compile_pipeline(model.pipeline, names, contract)
    assert compiled is not None
    expected = model.pipeline.predict_proba(customers[names])[:, 1]
    for scorer in (CompiledScorer(compiled, contract), PipelineScorer(model.pipeline, names, contract)):
        alone = [scorer.one(row) for row in records(customers, contract)]
        assert alone == pytest.approx(expected.tolist(), abs=1e-12)
        assert all(type(one) is float for one in alone)
        many = scorer.many(columns(customers, contract))
        assert (many.dtype, many.tolist()) == (np.float64, pytest.approx(expected.tolist(), abs=1e-12))
    assert (CompiledScorer.path, PipelineScorer.path) == ("compiled", "pipeline")


def test_a_model_that_reads_every_feature_is_given_them_as_they_are(customers: pd.DataFrame, contract: Contract) -> None:
    outcome = (customers["total_day_minutes"].rank().to_numpy() % 2).astype(int)
    pipeline = build_pipeline(1, form="terms", contract=contract).fit(customers, outcome)
    scorer = PipelineScorer(pipeline, contract.feature_names, contract)
    given = records(customers, contract)[0]
    assert scorer.values(given) is given
    assert scorer.one(given) == pytest.approx(pipeline.predict_proba(customers.iloc[:1])[0, 1])


def test_what_a_model_reads_is_picked_in_its_order(contract: Contract) -> None:
    given = list(contract.feature_names)
    for names in (["state"], FEATURES, FEATURES[::-1]):
        scorer = PipelineScorer(make_model("1", features=FEATURES).pipeline, names, contract)
        assert list(scorer.values(given)) == names


def test_one_customer_is_columns_of_length_one(contract: Contract) -> None:
    given = {"total_day_minutes": 1, "international_plan": True, "area_code": "415"}
    found = one_customer([given.get(name) for name in contract.feature_names], contract).values
    assert found["total_day_minutes"].tolist() == [1.0]
    assert found["international_plan"].tolist() == [1.0]
    assert contract["area_code"].levels[found["area_code"][0]] == "415"
    assert np.isnan(found["total_night_minutes"]).tolist() == [True]
    assert (found["state"].tolist(), found["state"].dtype) == ([-1], np.int32)
    with pytest.raises(ValueError, match="zip"):
        one_customer([None], contract)
