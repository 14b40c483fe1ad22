"""Every number of params.yaml has the bounds that are promised, and no other."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from churn.config import params
from tests.unit.churn.config.bounds import bounded, check

BOUNDS: dict[type[BaseModel], dict[str, str]] = {
    params.SplitParams: {"reserved": "(0, 0.9)"},
    params.TuningParams: {"candidates": "[2, inf)", "folds": "[2, 50]"},
    params.ThresholdParams: {"value": "(0, 1)"},
    params.ProfitParams: {
        "customer_value": "(10, inf)",  # above the cost of an offer, which is 10
        "cost_of_contact": "[0, inf)",
        "acceptance": "[0, 1]",
        "acceptance_alpha": "(0, inf)",
        "acceptance_beta": "(0, inf)",
    },
    params.SliceParams: {"min_rows": "[2, inf)", "min_churners": "[1, inf)"},
    params.EvaluationParams: {"confidence": "(0.5, 1)", "resamples": "[100, inf)", "calibration_bins": "[2, inf)"},
    params.GateParams: {
        "confidence": "(0.5, 1)",
        "resamples": "[200, inf)",
        "min_fresh_rows": "[30, inf)",
        "max_fresh_rows": "[30, inf)",
        "fresh_days": "(0, 36600]",
        "max_calibration_error": "(0, 1]",
        "max_calibration_bias": "(0, 1]",
        "max_profit_loss": "[0, inf)",
        "max_slice_loss": "[0, inf)",
        "min_class_rows": "[2, inf)",
        "max_latency_ms": "(0, inf)",
    },
    params.FairnessParams: {"margin": "[0, 1]", "max_cost": "[0, 1]"},
    params.Params: {"seed": "[0, inf)"},
}


@pytest.mark.parametrize(
    ("model", "name", "interval"),
    [
        (model, name, interval)
        for model, fields in BOUNDS.items()
        for name, interval in fields.items()
        if name != "customer_value"
    ],
)
def test_a_number_is_taken_up_to_its_bounds_and_no_further(model: type[BaseModel], name: str, interval: str) -> None:
    check(model, name, interval)


def test_every_number_has_bounds() -> None:
    for model, fields in BOUNDS.items():
        assert bounded(model) - {"cost_of_offer"} == set(fields)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"customer_value": 10.0}, False),
        ({"customer_value": 10.001}, True),
        ({"customer_value": 0.0, "cost_of_offer": -1}, False),
        ({"cost_of_offer": 0.0, "customer_value": 0.001}, True),
        ({"cost_of_offer": 0.0, "customer_value": 0.0}, False),
        ({"cost_of_offer": -0.001}, False),
        ({"currency": ""}, False),
        ({"currency": "E"}, True),
    ],
)
def test_a_customer_is_worth_more_than_an_offer_costs(given: dict[str, float | str], allowed: bool) -> None:
    if allowed:
        params.ProfitParams.model_validate(given)
        return
    with pytest.raises(ValueError, match=r"customer_value|cost_of_offer|currency"):
        params.ProfitParams.model_validate(given)


@pytest.mark.parametrize(("budget", "allowed"), [(0.999, True), (1.0, False), (1, True), (200, True), (0, False), (1.5, False)])
def test_a_budget_is_a_share_or_a_count(budget: float, allowed: bool) -> None:
    if allowed:
        assert params.ThresholdParams(budget=budget).budget == budget
        return
    with pytest.raises(ValueError, match="budget"):
        params.ThresholdParams(budget=budget)


@pytest.mark.parametrize("model", BOUNDS)
def test_parameters_are_frozen_and_a_misspelled_one_is_refused(model: type[BaseModel]) -> None:
    assert model.model_config["frozen"] is True
    with pytest.raises(ValueError, match="misspelled"):
        model.model_validate({"misspelled": 1})
