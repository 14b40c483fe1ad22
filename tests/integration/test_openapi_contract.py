"""The service keeps what its OpenAPI document says, whatever is sent: Schemathesis makes requests from the document.

So many of each operation as CHURN_TEST_API_CASES says (12, unless it does); thousands: CHURN_TEST_API_CASES=400 pytest <this file>.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from service.app import create_app
from tests.unit.service.fakes import FakeRegistry, FakeShelf, FakeStore, make_model, make_settings

CASES = int(os.environ.get("CHURN_TEST_API_CASES", "12"))
KEY = "a key that may do everything"
KEYS = f"all:predict+outcomes+admin:{hashlib.sha256(KEY.encode()).hexdigest()}"
# Customers as columns and rows must fit together, have the contract's names and be at least one: no JSON Schema can say so.
LOOSE = {"include-path-regex": "^/(invocations|v2/models/.*infer)$"}
ACCEPTED = ["2xx", "401", "403", "404", "409", "413", "415", "422"]
CONFIG = {
    "operations": [{**LOOSE, "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}}],
    "output": {"sanitization": {"enabled": False}},
}

# What is said to have come true cannot come true later.
past = st.datetimes(datetime(1970, 1, 2), datetime(2026, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC).isoformat())
schemathesis.openapi.format("date-time", past)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home: Path = tmp_path_factory.mktemp("api")
    registry = FakeRegistry(make_model("1"), make_model("2", slope=2.0))
    app = create_app(make_settings(home, api_keys=KEYS), registry=registry, store=FakeStore(), shelf=FakeShelf().shelf())
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=CASES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def test_answers_are_those_of_the_document(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"X-API-Key": KEY})
