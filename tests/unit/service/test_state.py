"""The parts of one running app: its limits, its rules for columns, and what is kept of a rejected request."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from service.app import ServiceApp, create_app
from service.http.errors import FieldProblem
from service.http.problem_details import ProblemDetails
from service.state import MAX_CUSTOMER_BYTES, ServiceState, service_state
from tests.unit.service.fakes import FakeRegistry, FakeStore, make_model, make_settings, served_model


@pytest.fixture
def state(app: ServiceApp) -> ServiceState:
    return app.state


def request(method: str = "POST", route: str | None = "/predict", **headers: str) -> Any:
    scope = {} if route is None else {"route": SimpleNamespace(path=route)}
    spelled = Headers({name.replace("_", "-"): text for name, text in headers.items()})
    return SimpleNamespace(method=method, headers=spelled, scope=scope)


def noted(state: ServiceState, asked: Any, kind: str = "urn:churn:unprocessable") -> dict[str, Any]:
    kept: list[dict[str, Any]] = []
    fake: Any = SimpleNamespace(note=lambda **entry: kept.append(entry))
    state.rejected_requests = fake
    problem = FieldProblem(field="state", problem="is wrong")
    state.note_rejected(
        asked, ProblemDetails(type=kind, title="t", status=422, detail="d", instance="/x", errors=[problem], request_id="r1")
    )
    return kept[0]


def test_a_rejected_request_is_counted_and_kept_without_a_value(state: ServiceState) -> None:
    entry = noted(state, request(content_length="12"))
    assert entry == {
        "request_id": "r1",
        "method": "POST",
        "path": "/predict",
        "status": 422,
        "problem": "unprocessable",
        "errors": [FieldProblem(field="state", problem="is wrong")],
        "body_bytes": 12,
        "model_version": None,
    }
    labels = {"problem": "unprocessable"}
    assert state.metrics.registry.get_sample_value("churn_rejected_total", labels) == 1
    state.active_model.activate(served_model(make_model("7"), "disk"))
    assert noted(state, request())["model_version"] == "7"


def test_what_a_caller_may_invent_gets_into_no_record(state: ServiceState) -> None:
    entry = noted(state, request("SMUGGLE", None))
    assert (entry["method"], entry["path"], entry["body_bytes"]) == ("other", "unmatched", None)
    for length in ("-1", "1e3", "x", "\xb2", "1" * 16):
        assert noted(state, request(content_length=length))["body_bytes"] is None, length
    assert noted(state, request(content_length="1" * 15))["body_bytes"] == int("1" * 15)


def test_one_customer_may_take_less_than_any_body(tmp_path: Path) -> None:
    def of(most: int) -> tuple[Any, Any]:
        settings = make_settings(tmp_path, max_body_bytes=most, body_timeout_seconds=7.0)
        state = create_app(settings, registry=FakeRegistry(), store=FakeStore()).state
        return state.body_limits, state.customer_limits

    for most, one in ((2**20, MAX_CUSTOMER_BYTES), (2_000, 2_000)):
        body, customer = of(most)
        assert (body.max_bytes, customer.max_bytes) == (most, one)
        assert (body.timeout_seconds, customer.timeout_seconds) == (7.0, 7.0)
    assert MAX_CUSTOMER_BYTES == 65_536


def test_columns_are_read_by_three_sets_of_rules(state: ServiceState) -> None:
    assert [state.rules.ignore_unknown, state.rules_ignoring_unknown.ignore_unknown] == [False, True]
    assert state.rules_with_value.ignore_unknown
    assert state.rules_with_value.contract == state.contract.with_value
    assert state.rules is state.rules
    assert state.draining is False
    assert (
        state.outcome_threads is not create_app(state.settings, registry=FakeRegistry(), store=FakeStore()).state.outcome_threads
    )


def test_routes_get_the_state_of_their_own_app(app: ServiceApp) -> None:
    asked: Any = SimpleNamespace(app=app.api)
    assert asyncio.run(service_state(asked)) is app.state
