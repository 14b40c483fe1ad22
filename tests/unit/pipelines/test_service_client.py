from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.contract import Contract
from churn.customers.customer import request_model
from churn.customers.frame import frame_from_records
from churn.data.dataset import Dataset
from churn.errors import ChurnError, InputError
from churn.simulation.simulate import SCENARIOS, Shift, simulate
from pipelines.service_client import Client, as_customers, simulate_scenario
from tests.unit.pipelines.loopback import Answer, Asked, web_server


class Service:
    """Answers like the service, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        body = json.loads(asked.body or b"null")
        if asked.path == "/predict":
            said: Any = {"prediction_id": f"p-{body['customer_id']}", "churn": False}
        else:
            said = {"accepted": len(body["outcomes"]) - 1}
        return Answer(json.dumps(said).encode())

    def bodies(self, path: str) -> list[Any]:
        return [json.loads(asked.body) for asked in self.asked if asked.path == path]


def test_customers_are_spelled_as_the_service_reads_them(contract: Contract) -> None:
    population = simulate(contract, 200, 1, shift=Shift(missing=dict.fromkeys(contract.feature_names, 0.2)))
    customers = as_customers(population, contract, "test")
    model = request_model(contract)
    read = [model.model_validate_json(json.dumps(customer)).model_dump() for customer in customers]
    back = frame_from_records(read, contract)
    pd.testing.assert_frame_equal(back, population.features, check_exact=True)
    assert {type(customer["international_plan"]) for customer in customers if "international_plan" in customer} == {bool}
    assert any("state" not in customer for customer in customers)
    assert not any(value is None for customer in customers for value in customer.values())


def test_customers_without_ids_are_numbered_and_others_keep_theirs(contract: Contract) -> None:
    population = simulate(contract, 3, 1)
    nameless = Dataset(population.features, population.outcome)
    named = Dataset(population.features, population.outcome, customer_id=pd.Series(["x", "y", "z"]))
    assert [c["customer_id"] for c in as_customers(nameless, contract, "calm-1")] == ["calm-1-0", "calm-1-1", "calm-1-2"]
    assert [c["customer_id"] for c in as_customers(named, contract, "calm-1")] == ["x", "y", "z"]


def test_each_customer_is_asked_about_once_and_in_order(contract: Contract) -> None:
    service, population = Service(), simulate(contract, 5, 1)
    with web_server(service) as url, Client(url, contract) as client:
        answers = client.predict(population, "test")
    assert service.bodies("/predict") == as_customers(population, contract, "test")
    assert [answer["prediction_id"] for answer in answers] == [f"p-{c['customer_id']}" for c in service.bodies("/predict")]


def test_outcomes_go_to_their_predictions_in_parts_and_the_new_ones_are_counted(contract: Contract) -> None:
    service, population = Service(), simulate(contract, 7, 3)
    with web_server(service) as url, Client(url, contract) as client:
        accepted = client.report_outcomes([{"prediction_id": f"p{n}"} for n in range(7)], population, chunk=3)
    parts = [body["outcomes"] for body in service.bodies("/outcomes")]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert accepted == 2 + 2 + 0
    assert [o for part in parts for o in part] == [
        {"prediction_id": f"p{n}", "churned": bool(churned)} for n, churned in enumerate(population.labelled)
    ]


def test_more_answers_than_customers_are_a_mistake(contract: Contract) -> None:
    with Client("http://127.0.0.1:1", contract) as client, pytest.raises(ValueError, match="zip"):
        client.report_outcomes([{"prediction_id": "p"}] * 3, simulate(contract, 2, 1))


def test_the_key_is_sent_where_there_is_one(contract: Contract) -> None:
    service = Service()
    with web_server(service) as url:
        for key in ("secret", None):
            with Client(url, contract, key=key) as client:
                client.predict_one({"customer_id": "a"})
    assert [asked.headers.get("x-api-key") for asked in service.asked] == ["secret", None]


def test_a_service_that_is_away_says_how_to_start_it(contract: Contract) -> None:
    with Client("http://127.0.0.1:1", contract) as client, pytest.raises(ChurnError, match="start it with: churn up"):
        client.get("/model")


def test_a_refusal_is_passed_on_in_the_service_s_own_words(contract: Contract) -> None:
    with (
        web_server(lambda _: Answer(b'{"detail": "state: unknown level"}', status=422)) as url,
        Client(url, contract) as client,
        pytest.raises(ChurnError, match=r"POST /predict was answered 422: .*state: unknown level"),
    ):
        client.predict_one({})


def test_every_scenario_can_be_sent(contract: Contract) -> None:
    calm = simulate_scenario(contract, "calm", 300, 1)
    for name in SCENARIOS:
        population = simulate_scenario(contract, name, 300, 1)
        assert len(as_customers(population, contract, name)) == len(population.labelled) == 300
    launched = simulate_scenario(contract, "plan-launch", 300, 1)
    assert launched.features["international_plan"].mean() > 2 * calm.features["international_plan"].mean()
    assert np.array_equal(simulate_scenario(contract, "calm", 300, 1).labelled, calm.labelled)


def test_an_unknown_scenario_names_those_there_are(contract: Contract) -> None:
    with pytest.raises(InputError, match="plan-launch") as caught:
        simulate_scenario(contract, "apocalypse", 10, 1)
    assert "apocalypse" in str(caught.value)
