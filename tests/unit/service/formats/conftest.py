from __future__ import annotations

import pytest

from churn.contract import Contract
from service.formats.records import from_records
from service.formats.validation import ColumnRules
from service.schemas.native import RequestModels
from service.scoring.scored_batch import ScoredBatch
from tests.unit.service.fakes import make_model, served_model


@pytest.fixture(scope="session")
def rules(contract: Contract) -> ColumnRules:
    """What the columns of the telecom contract must hold."""
    return ColumnRules(contract, RequestModels.from_contract(contract, 100).customer)


@pytest.fixture(scope="session")
def batch(rules: ColumnRules) -> ScoredBatch:
    """Answers to 25 customers; every second one has an id."""
    customers = [{"total_day_minutes": float(n), "state": "OH", "customer_id": f'c"{n}' if n % 2 else None} for n in range(25)]
    return served_model(make_model("3"), "registry").score_columns(from_records(customers, rules, "customers", 100))
