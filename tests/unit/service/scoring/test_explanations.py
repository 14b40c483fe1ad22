from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from churn.contract import load_contract
from churn.customers.customer import request_model
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from service.app import create_app
from service.schemas.native import PredictionAnswer, Reason
from service.scoring.explanations import Explainer, describe_condition
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

CONTRACT = load_contract()


@pytest.mark.anyio
async def test_reasons_are_the_strongest_first_and_add_up(client: httpx2.AsyncClient) -> None:
    body = (await client.post("/predict?reasons=99", json={**CUSTOMER, "customer_service_calls": None})).json()
    PredictionAnswer.model_validate(body)
    reasons = body["reasons"]
    assert {r["feature"] for r in reasons} == {"total_day_minutes", "customer_service_calls", "international_plan"}
    sizes = [abs(r["contribution"]) for r in reasons]
    assert sizes == sorted(sizes, reverse=True)
    logit = body["base_value"] + sum(r["contribution"] for r in reasons)
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(body["churn_probability"], abs=1e-12)
    told = {r["feature"]: r for r in reasons}
    assert told["total_day_minutes"]["value"] == 265.1
    assert told["total_day_minutes"]["contribution"] > 0
    assert told["total_day_minutes"]["text"].startswith("total day minutes of 265.1 is above the typical ")
    assert told["total_day_minutes"]["text"].endswith("raises the risk")
    assert told["international_plan"]["text"].startswith("international plan is Yes:")
    assert told["customer_service_calls"]["value"] is None
    assert "is not known, counted as" in told["customer_service_calls"]["text"]


@pytest.mark.anyio
async def test_only_as_many_reasons_as_asked_for(client: httpx2.AsyncClient) -> None:
    every = (await client.post("/predict?reasons=3", json=CUSTOMER)).json()["reasons"]
    assert (await client.post("/predict?reasons=1", json=CUSTOMER)).json()["reasons"] == every[:1]


@pytest.mark.anyio
@pytest.mark.parametrize("asked", ["0", "-1", "x", "1.5", "9" * 5000])
async def test_bad_number_of_reasons_is_422(client: httpx2.AsyncClient, store: FakeStore, asked: str) -> None:
    response = await client.post(f"/predict?reasons={asked}", json=CUSTOMER)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in response.json()["errors"]] == ["reasons"]
    assert store.rows == []


@pytest.mark.anyio
async def test_model_without_reasons_says_so_and_logs_nothing(tmp_path: Path, store: FakeStore) -> None:
    model = make_model()
    unnamed = replace(model, pipeline=Pipeline([(f"step{n}", step) for n, (_, step) in enumerate(model.pipeline.steps)]))
    app = create_app(
        make_settings(tmp_path),
        registry=FakeRegistry(unnamed),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:
        response = await client.post("/predict?reasons=2", json=CUSTOMER)
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "reasons")
        assert store.rows == []
        assert (await client.post("/predict", json=CUSTOMER)).status_code == 200


# A model of terms, which takes several columns together


@pytest.fixture(scope="module")
def terms() -> CompiledModel:
    known = simulate(CONTRACT, 1_500, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).fit(known.features, known.labelled)
    model = compile_pipeline(pipeline, CONTRACT.feature_names, CONTRACT)
    assert model is not None
    return model


def values_of(**customer: Any) -> list[Any]:
    return list(request_model(CONTRACT).model_validate(customer).features().values())


def told(model: CompiledModel, **customer: Any) -> dict[str, Reason]:
    _, reasons = Explainer.of(model, CONTRACT).reasons_for(values_of(**customer), 99)
    return {reason["feature"]: Reason.model_validate(reason) for reason in reasons}


def test_all_reasons_add_up_to_the_logit(terms: CompiledModel) -> None:
    values = values_of(customer_service_calls=5, total_day_minutes=300.0, international_plan="Yes")
    base, reasons = Explainer.of(terms, CONTRACT).reasons_for(values, 99)
    assert base + sum(reason["contribution"] for reason in reasons) == pytest.approx(terms.logit(values), abs=1e-11)
    assert sorted(reason["feature"] for reason in reasons) == sorted(terms.columns)


def test_what_made_no_difference_comes_last_in_the_order_of_the_columns(terms: CompiledModel) -> None:
    values = values_of(customer_service_calls=5)
    _, reasons = Explainer.of(terms, CONTRACT).reasons_for(values, 99)
    idle = [reason["feature"] for reason in reasons if not reason["contribution"]]
    assert len(idle) > 3
    assert idle == [reason["feature"] for reason in reasons[-len(idle) :]]
    assert idle == [name for name in terms.columns if name in idle]
    assert all(reason["text"].endswith(": makes no difference") for reason in reasons[-len(idle) :])
    few = len(reasons) - len(idle) + 2
    assert Explainer.of(terms, CONTRACT).reasons_for(values, few)[1] == reasons[:few]


def test_of_equal_contributions_the_first_column_comes_first() -> None:
    model = made_up([WeighedRule((Condition(1, 3.5, math.inf), Condition(0, 200.0, math.inf)), 2.0)])
    _, reasons = Explainer.of(model, CONTRACT).reasons_for([250.0, 4.0], 2)
    assert [(r["feature"], r["contribution"]) for r in reasons] == [("total_day_minutes", 1.0), ("customer_service_calls", 1.0)]


def test_the_last_digits_do_not_decide_which_comes_first() -> None:
    assert 0.3 + 0.2 + 0.1 < 0.1 + 0.2 + 0.3
    rules = [WeighedRule((Condition(0, 200.0 + n, math.inf),), weight) for n, weight in enumerate((0.3, 0.2, 0.1))]
    rules += [WeighedRule((Condition(1, 2.5 + n, math.inf),), weight) for n, weight in enumerate((0.1, 0.2, 0.3))]
    _, reasons = Explainer.of(made_up(rules), CONTRACT).reasons_for([250.0, 9.0], 2)
    assert [reason["feature"] for reason in reasons] == ["total_day_minutes", "customer_service_calls"]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e200, 1.7e308])
def test_contributions_of_any_size_are_ordered(scale: float) -> None:
    rules = [WeighedRule((Condition(0, 200.0, math.inf),), scale), WeighedRule((Condition(1, 2.5, math.inf),), -0.9 * scale)]
    for order, features in ((rules, [0, 1]), ([rules[0]._replace(weight=0.8 * scale), rules[1]], [1, 0])):
        model = made_up(order)
        _, reasons = Explainer.of(model, CONTRACT).reasons_for([250.0, 9.0], 2)
        assert [reason["feature"] for reason in reasons] == [model.columns[at] for at in features]


def test_a_rule_names_what_else_it_asks_for(terms: CompiledModel) -> None:
    reasons = told(terms, customer_service_calls=5, total_day_minutes=90.0, total_day_charge=15.3)
    assert re.fullmatch(
        r"customer service calls of 5 is above the typical 1: raises the risk \(with total charge of at most [\d.]+ USD\)",
        reasons["customer_service_calls"].text,
    )
    assert "(with customer service calls of at least 4 and total charge" in reasons["total_day_charge"].text


def test_the_minutes_speak_for_a_charge_that_was_not_said(terms: CompiledModel) -> None:
    reasons = told(terms, customer_service_calls=5, total_day_minutes=90.0)
    assert reasons["total_day_minutes"].text.startswith("total day minutes of 90 is below the typical")
    assert "raises the risk (with customer service calls of at least 4" in reasons["total_day_minutes"].text
    assert reasons["total_day_charge"].contribution == 0
    assert reasons["total_day_charge"].text.endswith("makes no difference")


def test_plans_and_levels_are_said_as_the_contract_spells_them(terms: CompiledModel) -> None:
    reasons = told(terms, international_plan="Yes", total_intl_calls=1, state="OH")
    assert reasons["international_plan"].text.startswith(
        "international plan is Yes: raises the risk (with total intl calls of at"
    )
    assert reasons["international_plan"].value is True
    assert "(with international plan Yes" in reasons["total_intl_calls"].text
    assert reasons["state"].text.startswith("state is OH:")
    assert reasons["area_code"].text.startswith("area code is not known, counted as 415")
    assert reasons["voice_mail_plan"].text.startswith("voice mail plan is not known, counted as No")


def made_up(rules: list[WeighedRule], ramps: list[Ramp] | None = None) -> CompiledModel:
    return CompiledModel(
        columns=("total_day_minutes", "customer_service_calls"),
        numbers=("total_day_minutes", "customer_service_calls"),
        sums={},
        levels={},
        relations={},
        typical={"total_day_minutes": 180.0, "customer_service_calls": 1.0},
        category_levels={},
        ramps=tuple(ramps or ()),
        rules=tuple(rules),
        intercept=0.0,
    )


def test_who_is_out_of_a_rule_that_others_are_in_is_told_so() -> None:
    model = made_up([WeighedRule((Condition(0, -math.inf, 200.0), Condition(1, -math.inf, 3.5)), -2.0)])
    _, reasons = Explainer.of(model, CONTRACT).reasons_for([250.0, 1.0], 1)
    assert reasons[0]["text"] == (
        "total day minutes of 250 is above the typical 180: raises the risk "
        "(not among those with customer service calls of at most 3)"
    )


def test_the_rule_that_counted_most_is_the_one_that_is_told() -> None:
    weak = WeighedRule((Condition(0, 200.0, math.inf), Condition(1, 0.5, math.inf)), 1.0)
    strong = WeighedRule((Condition(0, 220.0, math.inf), Condition(1, -math.inf, 2.5)), 1.5)
    first, second = "(with customer service calls of at least 1)", "(with customer service calls of at most 2)"
    for rules, said in (([weak, strong], second), ([strong, weak], second), ([weak, strong._replace(weight=1.0)], first)):
        _, reasons = Explainer.of(made_up(rules), CONTRACT).reasons_for([250.0, 1.0], 1)
        assert reasons[0]["text"].endswith(said)
    # What counted most is the number itself, or pulls the other way: there is nothing to add.
    ramp = Ramp(0, 0.0, 300.0, 0.1, 180.0)
    opposed = weak._replace(weight=-1.0)
    for model in (made_up([weak], [ramp]), made_up([opposed], [ramp])):
        _, reasons = Explainer.of(model, CONTRACT).reasons_for([250.0, 1.0], 1)
        assert reasons[0]["text"] == "total day minutes of 250 is above the typical 180: raises the risk"


def test_a_number_of_any_size_makes_json() -> None:
    model = made_up([], [Ramp(0, -math.inf, math.inf, 1e10, 180.0)])
    for value, sign in ((1.7e308, 1), (-1.7e308, -1)):
        _, reasons = Explainer.of(model, CONTRACT).reasons_for([value, 1.0], 1)
        assert json.loads(orjson.dumps(reasons))[0]["contribution"] * sign > 1e300


@pytest.mark.parametrize(
    ("name", "bounds", "said"),
    [
        ("state = NJ", (0.5, np.inf), "state NJ"),
        ("state = NJ", (-np.inf, 0.5), "state other than NJ"),
        ("international_plan", (-np.inf, 0.5), "international plan No"),
        ("international_plan", (0.5, np.inf), "international plan Yes"),
        ("customer_service_calls", (3.5, np.inf), "customer service calls of at least 4"),
        ("customer_service_calls", (2.5, 3.5), "customer service calls of 3"),
        ("customer_service_calls", (1.5, 4.5), "customer service calls between 2 and 4"),
        ("total_charge", (-np.inf, 56.666), "total charge of at most 56.67 USD"),
        ("total_day_minutes", (200.0, np.inf), "total day minutes above 200"),
        ("total_day_charge", (30.0, 40.0), "total day charge between 30 and 40 USD"),
    ],
)
def test_a_condition_in_words(name: str, bounds: tuple[float, float], said: str) -> None:
    assert describe_condition(name, Condition(0, *bounds), CONTRACT) == said


def test_the_unit_is_said_once() -> None:
    _, reasons = Explainer.of(made_up([]), CONTRACT).reasons_for([None, 2.0], 2)
    assert [reason["text"] for reason in reasons] == [
        "total day minutes is not known, counted as 180: makes no difference",
        "customer service calls of 2 is above the typical 1: makes no difference",
    ]


@pytest.mark.parametrize("kept", [1_024, 2])
def test_customers_of_one_pattern_are_told_the_same_as_alone(
    terms: CompiledModel, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.scoring.explanations.MAX_PATTERNS", kept)
    rules_only = replace(terms, ramps=())
    explainer = Explainer.of(rules_only, CONTRACT)
    customers = customers_of(rules_only, 400)
    alone = [Explainer.of(rules_only, CONTRACT).reasons_for(values, 99) for values in customers]
    for _ in range(2):
        assert [explainer.reasons_for(values, 99) for values in customers] == alone
    assert 0 < len(explainer._kept) <= kept
    told = [reasons for _, reasons in alone]
    assert len({tuple(reason["contribution"] for reason in reasons) for reasons in told}) > 20


def customers_of(model: CompiledModel, count: int) -> list[list[Any]]:
    """Every other one has gaps."""
    rng = np.random.default_rng(2)
    frame = simulate(CONTRACT, count, seed=9).features[list(model.columns)].astype(object)
    gaps = (rng.random(frame.shape) < 0.1) & (np.arange(count) % 2 == 0)[:, None]
    flags = {column.name for column in CONTRACT.features if column.kind == "flag"}
    return [
        [
            None if gap or pd.isna(value) else bool(value) if name in flags else value
            for name, value, gap in zip(model.columns, row, missing, strict=True)
        ]
        for row, missing in zip(frame.to_numpy(), gaps, strict=True)
    ]


@pytest.mark.parametrize("form", ["rules", "ramps too"])
def test_reasons_are_written_in_the_bytes_of_their_objects(terms: CompiledModel, form: str) -> None:
    ramp = Ramp(terms.input_names.index("total_eve_minutes"), 100.0, 300.0, 0.01, 0.0)
    explainer = Explainer.of(replace(terms, ramps=() if form == "rules" else (ramp,)), CONTRACT)
    for strongest in (3, 1, 99):
        for values in customers_of(terms, 400):
            base, reasons = explainer.reasons_for(values, strongest)
            assert explainer.write_reasons(values, strongest) == (base, orjson.dumps(reasons))
    assert bool(explainer._kept) == (form == "rules")
