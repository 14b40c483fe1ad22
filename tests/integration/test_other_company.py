"""Another company's export runs through the whole system, with no change of code: draft, train, serve, log, monitor.

Without Prefect's engine: tests/integration/test_flows.py has it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest
from anyio.from_thread import start_blocking_portal
from sklearn.metrics import roc_auc_score

from benchmarks.chaos.pipelines.without_engine import flow_without_engine
from churn.config.settings import load_settings
from churn.contract import Contract, load_contract
from churn.data.dataset import Dataset, read_dataset
from churn.registry.registry import Registry
from churn.store.records import DecisionKind
from churn.store.store import Store
from monitoring.run_result import RunResult
from pipelines.cli import main
from pipelines.service_client import as_customers
from tests.ibm_like import ibm_like
from tests.integration.loading import loading_here
from tests.unit.service.fakes import running

# Prefect's own client warns of its own ways.
pytestmark = [pytest.mark.filterwarnings("default")]

QUICK = """
tuning: {folds: 2, grid: {features__trees: [0], features__knots: [3], features__strictness: [0.1], logreg__C: [1.0]}}
evaluation: {resamples: 100}
gate: {resamples: 200}
"""
KNOWN = 6_000
SENSITIVE = {"gender", "senior_citizen", "partner", "dependents"}


@dataclass
class Company:
    contract: Contract
    arriving: Dataset
    registry: Registry
    store: Store
    trained: dict[str, Any]


@pytest.fixture(scope="module")
def company(migrated_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    home = tmp_path_factory.mktemp("company")
    customers = ibm_like()
    export, later, drafted = home / "export.csv", home / "later.csv", home / "contract.yaml"
    customers[:KNOWN].to_csv(export, index=False)
    customers[KNOWN:].to_csv(later, index=False)
    (home / "params.yaml").write_text(QUICK)
    values = {"home": home, "data": export, "params": home / "params.yaml", "contract": drafted}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STORE_URL", "TRACKING_URI", "API_KEYS", "PSEUDONYM_KEY"):
            patch.delenv(f"CHURN_{name}", raising=False)
        for name, value in values.items():
            patch.setenv(f"CHURN_{name.upper()}", str(value))
        patch.setattr(sys, "argv", ["churn", "data", "describe", str(export), "--draft", str(drafted)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert not ended.value.code
        settings, contract = load_settings(), load_contract(drafted)
        store = Store.open(settings.store_url)
        trained = flow_without_engine("train", put=patch.setattr)(trigger="first model")
        yield Company(contract, read_dataset(later, contract), Registry(settings), store, trained)
        store.close()


Service = Callable[[str, dict[str, Any]], httpx2.Response]


@pytest.fixture(scope="module")
def post(company: Company) -> Iterator[Service]:
    """The service in this process, on an event loop of its own."""
    from service.app import create_app

    service = running(create_app(load_settings()))
    with loading_here(), start_blocking_portal() as portal, portal.wrap_async_context_manager(service) as client:
        yield lambda path, body: portal.call(partial(client.post, path, json=body))


def someone(company: Company) -> dict[str, Any]:
    return as_customers(company.arriving, company.contract, "c")[0]


def test_the_first_model_is_promoted_and_ranks_as_well_as_on_this_mechanism_it_can(company: Company) -> None:
    assert company.trained["promoted"], company.trained["reason"]
    champion = company.registry.load("champion")
    probability = champion.predict_probability(company.arriving.features)
    assert roc_auc_score(company.arriving.labelled, probability) > 0.82
    assert company.trained["metrics"]["roc_auc"] > 0.82
    assert probability.mean() == pytest.approx(company.arriving.labelled.mean(), abs=0.04)


def test_the_model_has_never_seen_what_is_sensitive(company: Company) -> None:
    assert {column.name for column in company.contract.sensitive} == SENSITIVE
    champion = company.registry.load("champion")
    assert set(champion.info.features) <= set(company.contract.feature_names)
    assert not SENSITIVE & {*champion.info.features, *company.registry.reference(champion.info.version)}
    others = company.arriving.features.assign(**dict.fromkeys(SENSITIVE, 1.0))
    np.testing.assert_array_equal(champion.predict_probability(others), champion.predict_probability(company.arriving.features))


def test_a_total_that_is_blank_or_absent_is_imputed(post: Service, company: Company) -> None:
    customer = someone(company)
    del customer["total_charges"]
    answers = [post("/predict", customer | blank) for blank in ({}, {"total_charges": None})]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["churn_probability"] for answer in answers}) == 1
    assert 0 < answers[0].json()["churn_probability"] < 1


def test_categories_are_asked_about_in_the_companys_own_words(post: Service, company: Company) -> None:
    customer = someone(company) | {"online_security": "No internet service", "internet_service": "No"}
    asked = [customer | {"contract": level} for level in ("Month-to-month", "Two year")]
    monthly, bound = (post("/predict?reasons=3", one).json() for one in asked)
    assert monthly["churn_probability"] > bound["churn_probability"]
    assert len(monthly["reasons"]) == 3
    assert {reason["feature"] for reason in monthly["reasons"]} <= set(company.contract.feature_names)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"contract": "Three year"}, "contract"),
        ({"total_charges": "much"}, "total_charges"),
        ({"shoe_size": 43}, "shoe_size"),
    ],
)
def test_what_the_contract_does_not_allow_is_422(post: Service, company: Company, changed: dict[str, Any], field: str) -> None:
    answer = post("/predict", someone(company) | changed)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_what_was_found_between_groups_is_on_the_card_in_the_run_and_in_the_gates_record(company: Company) -> None:
    import mlflow

    champion = company.registry.load("champion")
    assert "### Reweighing" in champion.card
    run = mlflow.get_run(champion.info.run_id)
    told = {name for name in run.data.metrics if name.startswith("fairness_")}
    assert told >= {"fairness_cost_log_loss", "fairness_cost_roc_auc_low", "fairness_cost_profit_high"}
    assert told >= {f"fairness_gap_recall_{column}" for column in SENSITIVE}
    files = {file.path for file in mlflow.artifacts.list_artifacts(run_id=champion.info.run_id)}
    assert "fairness.json" in files
    [decision] = company.store.decisions(kind=(DecisionKind.GATE,), limit=10)
    check = decision.evidence["checks"]["no_gap_widens"]
    assert (check["passed"], check["value"]) == (True, None)
    assert {gap["column"] for gap in check["detail"]["gaps"]} == SENSITIVE


def test_the_companys_own_export_is_taken_and_what_is_sensitive_is_not_kept(post: Service, company: Company) -> None:
    plain = post("/predict", someone(company)).json()
    anonymous = {name: value for name, value in someone(company).items() if name != "customer_id"}
    export = anonymous | {"gender": "Female", "senior_citizen": 1, "customer": "7590-VHVEG"}
    answer = post("/predict", export).json()
    assert (answer["customer_id"], answer["churn_probability"]) == ("7590-VHVEG", plain["churn_probability"])
    logged = company.store.read_predictions(company.contract)
    assert answer["prediction_id"] in set(logged["prediction_id"])
    assert not {"gender", "senior_citizen"} & set(logged.columns)


def test_what_was_asked_and_came_true_is_monitored(post: Service, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    customers = as_customers(company.arriving, company.contract, "c")[:600]
    answered = post("/predict/batch", {"customers": customers}).json()["predictions"]
    outcomes = [
        {"prediction_id": answer["prediction_id"], "churned": bool(churned)}
        for answer, churned in zip(answered, company.arriving.labelled, strict=False)
    ]
    assert post("/outcomes", {"outcomes": outcomes}).json()["accepted"] == 600

    logged = company.store.read_predictions(company.contract)
    assert not SENSITIVE & set(logged)
    assert not any(SENSITIVE & set(features) for features in _logged_features(company))
    seen = flow_without_engine("monitor", put=monkeypatch.setattr)()
    assert (seen["judged"], seen["action"]) == (True, "none"), seen["reason"]
    run = RunResult.from_record(company.store.monitor_runs()[0])
    assert run.labelled_rows == 600
    assert run.drift is not None
    assert {result.feature for result in run.drift.results} == {
        "churn_probability",
        *company.contract.feature_names,
    }
    assert run.report is not None
    assert Path(run.report).is_file()


def _logged_features(company: Company) -> list[dict[str, Any]]:
    """What is in the store, whatever the contract would let through."""
    from sqlalchemy import create_engine

    with create_engine(load_settings().store_url).connect() as connection:
        logged = pd.read_sql_table("predictions", connection)
    assert len(logged) >= 600
    return list(logged["features"])
