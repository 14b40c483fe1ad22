"""A bank's card, pages and reports speak of the bank: no text that a user sees speaks of the packaged contract's company."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from churn.contract import Contract, load_contract
from churn.customers.customer import request_model
from churn.model_card.card import render_card, summary_in
from churn.modeling.model_info import ModelInfo
from pipelines.cli.main import app
from service.app import create_app
from tests.checkout import CHECKOUT
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

OTHERS = re.compile(r"telecom|telco|subscriber|retention team|voice.?mail", re.IGNORECASE)
BANK: dict[str, Any] = {
    "name": "bank",
    "description": "One client of a savings bank, at the end of a quarter.",
    "customer": "account holder",
    "target": {"event": "closes the account", "source": "Closed"},
    "columns": [
        {"name": "balance", "source": "Balance", "kind": "number", "unit": "EUR"},
        {"name": "card", "source": "Card", "kind": "flag", "nullable": True},
    ],
}


@pytest.fixture
def bank(tmp_path: Path) -> Contract:
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump(BANK))
    return load_contract(tmp_path / "bank.yaml")


def info(contract: Contract) -> ModelInfo:
    return ModelInfo(
        name="churn",
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
        trigger="drift",
        data_digest="d",
        data_source="clients.csv",
        rows=900,
        contract=contract.name,
        contract_digest=contract.digest,
        reference_digest="r",
        features=contract.feature_names,
        threshold=0.2,
        metrics={},
        params={},
        git_commit="abc",
    )


def test_the_card_is_in_the_contracts_words(bank: Contract) -> None:
    card = render_card(info(bank), contract=bank)
    assert not OTHERS.findall(card)
    assert "Probability that an account holder closes the account, by a logistic regression on 2 columns." in card
    assert "by the probability that an account holder closes the account" in card
    assert "contract `bank` (One client of a savings bank, at the end of a quarter)" in card
    assert summary_in(card).startswith("Probability that an account holder closes the account")
    # Of a version whose contract is not known, too.
    assert not OTHERS.findall(render_card(info(bank)))


def test_the_packaged_contract_keeps_its_own_words() -> None:
    contract = load_contract()
    assert "Probability that a telecom customer leaves" in render_card(info(contract), contract=contract)


@pytest.mark.anyio
async def test_everything_the_service_shows_is_in_the_contracts_words(bank: Contract, tmp_path: Path) -> None:
    api = create_app(
        make_settings(tmp_path, contract=str(tmp_path / "bank.yaml")),
        registry=FakeRegistry(),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(api) as client:
        for path in ("/", "/docs", "/openapi.json", "/v2", "/readyz", "/model", "/metrics"):
            shown = (await client.get(path)).text
            assert not OTHERS.findall(shown), path
        assert "One client of a savings bank" in (await client.get("/")).text
        assert "One client of a savings bank" in (await client.get("/docs")).text
    assert request_model(bank).__doc__ == BANK["description"]


@pytest.mark.parametrize("folder", ["monitoring/dashboards", "monitoring/prometheus", "monitoring/reports", "service/page"])
def test_dashboards_alerts_reports_and_pages_name_no_company(folder: str) -> None:
    files = [path for path in (CHECKOUT / folder).rglob("*") if path.suffix in (".json", ".yml", ".html", ".js", ".py")]
    assert files
    assert {str(path): found for path in files if (found := OTHERS.findall(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "command", [[], ["train"], ["score"], ["data", "describe"], ["data", "validate"], ["serve"], ["model", "card"]]
)
def test_the_commands_help_names_no_company(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"]).output
    # (The file of the packaged data is called telecom_churn.csv.)
    assert not OTHERS.findall(shown.replace("telecom_churn", "").replace("ibm-telco", "")), command


def test_a_draft_asks_for_the_words(tmp_path: Path) -> None:
    from churn.contract_draft.draft import draft_contract

    rows = "\n".join(f"{n}.5,{'Yes' if n % 3 else 'No'}" for n in range(40))
    (tmp_path / "bank.csv").write_text(f"Balance,Closed churn\n{rows}\n")
    draft = draft_contract(tmp_path / "bank.csv")
    assert yaml.safe_load(draft.text)["customer"] == draft.contract.customer == "customer"
    assert not OTHERS.findall(json.dumps(draft.text))
