"""What one app is made of, in which order its parts begin, and that none is left open."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from churn.campaigns.control_group import ControlGroup
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import InputError
from service import app as app_module
from service.app import FIELDS, ROUTES, create_app
from service.http.rejected_requests import RejectedRequests
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.pseudonymous_store import PseudonymousStore
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings
from tests.unit.service.prediction_log.helpers import record

KEY = "a key of sixteen or more"


def make(home: Path, store: FakeStore | None = None, **changes: Any) -> Any:
    kept = FakeLastKnownGood().last_known_good()
    on_start = changes.pop("on_start", lambda _: None)
    registry = FakeRegistry(make_model())
    return create_app(make_settings(home, **changes), registry=registry, store=store, last_known_good=kept, on_start=on_start)


def run(app: Any, inside: Any = lambda: None) -> None:
    async def live() -> None:
        async with app.lifespan():
            inside()

    asyncio.run(live())


def test_all_has_begun_when_it_is_told_and_all_is_closed_at_the_end(tmp_path: Path) -> None:
    told: list[tuple[bool, bool]] = []
    store = FakeStore()

    def started(state: Any) -> None:
        told.append((state.active_model.peek() is not None, state.draining))

    app = make(tmp_path, store, on_start=started)
    assert told == []
    run(app, lambda: told.append((store.closed, app.state.draining)))
    assert told == [(True, False), (False, False)]
    assert (store.closed, app.state.draining) == (True, True)


def test_routes_are_served_as_they_were_made(tmp_path: Path) -> None:
    """To include a router makes its routes once more for each app, while the first requests wait."""
    served = {id(route) for route in make(tmp_path).api.routes}
    assert all(id(route) in served for routes in ROUTES for route in routes.router.routes)


def test_rejected_requests_are_written_between_start_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(RejectedRequests, "start", lambda _: told.append("start"))
    monkeypatch.setattr(RejectedRequests, "close", lambda _: told.append("close"))
    run(make(tmp_path, FakeStore()), lambda: told.append("inside"))
    assert told == ["start", "inside", "close"]


@pytest.mark.parametrize("key", ["", KEY])
def test_the_log_waits_for_store_and_spool_as_long_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(app_module, "PredictionLog", lambda *_, **named: given.append(named))
    make(tmp_path, store_timeout_seconds=3.5, spool_drain_seconds=1.5, pseudonym_key=key)
    assert given[-1] == {"hang_seconds": 3.5, "drain_seconds": 1.5}


def test_a_store_that_is_away_is_said_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FakeStore()
    store.away = True
    with caplog.at_level(logging.WARNING):
        run(make(tmp_path, store))
    assert any("starting without the store" in said for said in caplog.messages)
    assert store.closed


def test_what_fails_while_it_runs_leaves_nothing_open(tmp_path: Path) -> None:
    store = FakeStore()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(make(tmp_path, store), fail)
    assert store.closed


@pytest.mark.parametrize("key", ["", KEY])
def test_with_a_key_no_plain_id_reaches_the_store(tmp_path: Path, key: str) -> None:
    store = FakeStore()
    app = make(tmp_path, store, pseudonym_key=key)
    assert isinstance(app.state.store, PseudonymousStore if key else FakeStore)

    async def write() -> None:
        async with app.lifespan():
            await app.state.log.write([record("c1")])

    asyncio.run(write())
    assert [row.customer_id for row in store.rows] == [Pseudonymiser(KEY)("c1") if key else "c1"]


def test_settings_reach_the_parts_they_are_about(tmp_path: Path) -> None:
    state = make(tmp_path, control_share=0.25, control_key="k", max_batch_rows=7).state
    assert isinstance(state.store, LazyStore)
    assert state.predictions.control == ControlGroup(0.25, "k")
    assert state.predictions.log is state.log
    assert state.predictions.active_model is state.active_model
    assert (state.tracing, state.keys) == (None, ())
    with pytest.raises(InputError):
        make(tmp_path, api_keys="nonsense")


def test_the_document_is_of_the_routes_and_names_of_bodies_may_be_said(tmp_path: Path) -> None:
    document = make(tmp_path).openapi()
    assert document["info"]["title"] == "churn"
    assert document["info"]["description"].startswith("Predicts which customers are about to leave, and why.")
    assert {"/predict", "/predict/batch", "/outcomes", "/contacts", "/model", "/healthz", "/invocations"} <= set(
        document["paths"]
    )
    assert {"CustomerRequest", "OutcomesRequest"} & set(document["components"]["schemas"])
    assert {"outcomes", "contacts", "inputs", "reason", "leaving", "header", "customers"} <= set(FIELDS)
