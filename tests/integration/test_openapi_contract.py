"""The service keeps what its OpenAPI document says, whatever is sent: Schemathesis makes requests from the document.

A few of each operation beyond those at the edges of the schemas, or as many as CHURN_TEST_API_CASES says. For thousands:

    CHURN_TEST_API_CASES=500 .venv/bin/pytest tests/integration/test_openapi_contract.py
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.app import create_app
from tests.integration.live import live
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, with_segments

CASES = os.environ.get("CHURN_TEST_API_CASES", "2")
MANY_CASES = "25"
KEY = "a-key-that-may-do-everything"
KEYS = f"all:predict+outcomes+admin:{hashlib.sha256(KEY.encode()).hexdigest()}"
CONFIG = """
[cache]
enabled = false

# Here customers are columns and rows, or a text: that they fit together and have the contract's names, no schema says.
[[operations]]
include-path-regex = "^/(predict/batch|campaign/candidates|invocations|v2/models/.*/infer)$"
parameters = { "path.name" = "churn", "path.version" = "2" }
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "413", "415", "422"]
"""
HOOKS = """
from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

# What came true cannot have come true later than now.
past = st.datetimes(datetime(1970, 1, 2), datetime(2026, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC).isoformat())
schemathesis.openapi.format("date-time", past)
# A number as a text, within everybody's bounds.
schemathesis.openapi.format("number", st.sampled_from(["0", "1", "2.0", "3e0"]))


# The schema has a `not` for customers of whom nothing is known. Schemathesis does not see it, and takes them for valid.
# That a text is CSV with the right header, no schema says either.
@schemathesis.hook
def filter_case(context, case):
    body = case.body
    if case.path in ("/outcomes", "/contacts") and case.media_type == "text/csv":
        return False
    # An opt-out is no contact: no schema without a `not` says that it has neither campaign nor offer.
    items = body.get("contacts") if case.path == "/contacts" and isinstance(body, dict) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("opt_out") is not None and (item.get("campaign") or item.get("offer")):
            return False
    return case.path != "/predict" or not isinstance(body, dict) or any(value not in (None, "") for value in body.values())
"""


@pytest.mark.parametrize("cases", [CASES, pytest.param(MANY_CASES, marks=pytest.mark.long)])
def test_every_answer_is_one_of_the_document(tmp_path: Path, cases: str) -> None:
    registry = FakeRegistry(with_segments(make_model("1")), with_segments(make_model("2", slope=2.0)))
    store = FakeStore()
    app = create_app(
        make_settings(tmp_path, api_keys=KEYS),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "hooks.py").write_text(HOOKS)
    report = tmp_path / "report.json"
    with live(app) as (host, port):
        run = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", "schemathesis.toml", "run"),
                *(f"http://{host}:{port}/openapi.json", "--header", f"X-API-Key: {KEY}", "--max-examples", cases),
                *("--checks", "all", "--seed", "17", "--generation-deterministic"),
                *("--continue-on-failure", "--report", "json", "--report-json-path", str(report), "--no-color"),
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(report.read_text())
    assert {phase: result["status"] for phase, result in told["phases"].items()} == {
        "examples": "success",
        "coverage": "success",
        "fuzzing": "success",
        "stateful": "success",
    }
    assert told["operations"]["tested"] == told["operations"]["total"] > 20
    assert told["test_cases"]["generated"] > 500
    # Were the key not known, or no model in service, all would be turned away, and nothing tested.
    assert len(store.rows) > 10
    assert len(store.outcomes) > 10
