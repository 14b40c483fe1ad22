"""The service under traffic, the exporter, a real Prometheus, a real Alertmanager: what dashboards and pagers get."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from churn.config.params import load_params
from churn.contract import Column
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.sensitive_levels import SensitiveLevel
from churn.store.store import Store
from monitoring.dashboards.build import build
from monitoring.dashboards.panels import BOARDS
from monitoring.exporter.exporter import exporter
from monitoring.monitor import record_run, run_monitor
from service.app import create_app
from tests.checkout import CHECKOUT
from tests.integration.live import live
from tests.integration.operators import alertmanager, patiently, prometheus, query, webhook
from tests.integration.test_prometheus_rules import known_series, series
from tests.unit.monitoring.exporter.test_campaigns import run_campaign
from tests.unit.monitoring.fakes import CONTRACT, come_true, customers, launch, serve
from tests.unit.monitoring.fakes import make_settings as monitor_settings
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, make_model, make_settings
from tools.loopback_http import http
from tools.metrics_page import monitor_metrics, service_metrics

DASHBOARDS = CHECKOUT / "monitoring/dashboards"
RUNBOOKS = sorted((CHECKOUT / "docs/runbooks").glob("Churn*.md"))
VARIABLES = {"$instance": ".*", "$version": ".*", "$__rate_interval": "10s"}


class Seen(NamedTuple):
    prometheus: str
    service: str
    received: list[tuple[str, dict[str, Any]]]


def remember(url: str) -> None:
    """Let the monitor run twice: at outcomes of a world that has moved, and at the same customers, drifted, without outcomes."""
    store = Store.open(url)
    moment, settings = datetime.now(UTC) - timedelta(minutes=10), monitor_settings()
    base = [f"c{number}" for number in range(200)]
    frame = launch(200, seed=2).assign(customer_id=base)
    come_true(store, serve(store, frame), frame)
    reference = customers(1500, seed=1, plan_share=0.3)
    campaign = load_params(CHECKOUT / "params.yaml").profit
    segmenter: Any = SimpleNamespace(
        names=["calls often", "typical"],
        segments=SimpleNamespace(columns=["calls"]),
        numbers=lambda columns: np.array([int(calls < 110) for calls in columns[0]], dtype=np.int8),
    )
    more: dict[str, Any] = {"campaign": campaign, "segmenter": segmenter}
    gender = Column(name="gender", source="Gender", kind="category", role="sensitive")
    contract = CONTRACT.model_copy(update={"columns": (*CONTRACT.columns, gender)})
    store.write_sensitive_levels([SensitiveLevel(who, "gender", "fm"[place % 2]) for place, who in enumerate(base)])
    assert record_run(store, run_monitor(store, contract, settings, "1", reference, now=moment, **more))
    drifted = customers(200, seed=4).assign(customer_id=base)
    drifted["minutes"] = float("nan")
    serve(store, drifted)
    assert record_run(
        store,
        run_monitor(store, contract, settings, "1", reference, now=moment + timedelta(minutes=5), **more),
    )
    run_campaign(store, "november", moment - timedelta(days=40), left=20, left_held_out=15)
    for flow in ("monitor", "train"):
        store.write_flow_run(flow, seconds=3.0)
    store.write_decision(Decision(DecisionKind.RETRAIN, DecisionAction.PROMOTED, "train", "", evidence={"reason": "drift"}))
    store.close()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("operators")
    store_url = f"sqlite:///{folder / 'monitor.db'}"
    remember(store_url)
    app = create_app(
        make_settings(folder / "service"),
        registry=FakeRegistry(make_model("1")),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    with (
        webhook() as (hook, received),
        alertmanager(folder, hook) as manager,
        live(app) as (host, port),
        # The monitor's customers of long ago were told of today: by their delays no outcome of the campaign would count yet.
        exporter(lambda: Store.open(store_url), 0, settings=monitor_settings(label_maturity_seconds=0)) as monitor_port,
    ):
        targets = {"churn-service": f"{host}:{port}", "churn-monitor": f"127.0.0.1:{monitor_port}"}
        with prometheus(folder, targets, manager.removeprefix("http://")) as url:
            service = f"http://{host}:{port}"
            for minutes in (*range(0, 400, 10), -1):
                http.post(f"{service}/predict", json={**CUSTOMER, "total_day_minutes": float(minutes)})
            yield Seen(url, service, received)


def panels() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name in BOARDS:
        board = json.loads((DASHBOARDS / f"{name}.json").read_text())
        found += [(name, panel) for panel in board["panels"] if panel["type"] != "row"]
    return found


def expressions() -> list[str]:
    written = [target["expr"] for _, panel in panels() for target in panel["targets"]]
    boards = [json.loads((DASHBOARDS / f"{name}.json").read_text()) for name in BOARDS]
    return written + [
        a["expr"] for board in boards for a in board["annotations"]["list"] if "expr" in a and "activations" in a["name"]
    ]


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def test_every_query_of_every_panel_returns_data(seen: Seen) -> None:
    without_data = [filled(expression) for expression in expressions()[:-1] if "changes(" not in expression]

    @patiently
    def ask() -> None:
        # Traffic goes on, as rates look at the last seconds.
        for minutes in (10.0, 200.0, 380.0, -1.0):
            http.post(f"{seen.service}/predict", json={**CUSTOMER, "total_day_minutes": minutes})
        without_data[:] = [expression for expression in without_data if not query(seen.prometheus, expression)]
        assert not without_data

    ask()


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=[path.stem for path in RUNBOOKS])
def test_every_query_of_a_runbook_is_answered(seen: Seen, runbook: Path) -> None:
    queries = re.findall(r"```promql\n(.*?)```", runbook.read_text(), re.DOTALL)
    assert queries
    for expression in (line for block in queries for line in block.splitlines() if line.strip()):
        query(seen.prometheus, expression)
        assert not series(expression) - known_series(), expression


def test_a_webhook_receives_a_real_alert(seen: Seen) -> None:
    @patiently
    def received() -> None:
        by_name = {(path, alert["labels"]["alertname"]): alert for path, alert in seen.received}
        # The watchdog goes to the dead man's switch, and the drift of the newest run to the tickets.
        assert ("/alive", "ChurnWatchdog") in by_name
        ticket = by_name.get(("/ticket", "ChurnDriftWatch"))
        assert ticket is not None
        assert "200 predictions in the newest window" in ticket["annotations"]["summary"]
        assert ticket["annotations"]["runbook_url"] == "docs/runbooks/ChurnDriftWatch.md"
        assert ticket["status"] == "firing"

    received()
    assert not [alert for path, alert in seen.received if path == "/page"]


def test_a_request_is_found_from_a_point_of_the_latency_by_its_id(seen: Seen) -> None:
    @patiently
    def exemplars() -> None:
        http.post(f"{seen.service}/predict", json=CUSTOMER, headers={"x-request-id": "one-that-is-looked-for"})
        wanted = {"query": 'churn_http_request_duration_seconds_bucket{route="/predict"}', "start": "0", "end": "2000000000"}
        answer = http.get(f"{seen.prometheus}/api/v1/query_exemplars", params=wanted).json()
        ids = {e["labels"]["request_id"] for found in answer["data"] for e in found["exemplars"]}
        assert "one-that-is-looked-for" in ids

    exemplars()


@pytest.mark.parametrize("name", BOARDS)
def test_the_json_is_what_the_sdk_makes_and_reads(name: str) -> None:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    text = (DASHBOARDS / f"{name}.json").read_text()
    assert text == build(name), "run: .venv/bin/python -m monitoring.dashboards.build"
    board = Dashboard.from_json(json.loads(text))
    assert board.uid == f"churn-{name}"
    ids = [panel["id"] for board_name, panel in panels() if board_name == name]
    assert len(ids) == len(set(ids))


def test_a_panel_has_unit_legend_and_description() -> None:
    for board, panel in panels():
        name = f"{board}: {panel['title']}"
        assert panel["fieldConfig"]["defaults"]["unit"], name
        assert panel["description"], name
        assert all(target["legendFormat"] for target in panel["targets"]), name


def test_no_panel_uses_a_metric_that_the_code_does_not_export() -> None:
    unknown = {name for expression in expressions() for name in series(expression)} - known_series()
    assert not unknown


def test_every_metric_of_the_monitor_is_on_a_dashboard() -> None:
    shown = {name for expression in expressions() for name in series(expression)}
    hidden = {metric.name for metric in monitor_metrics()} - shown
    assert hidden <= {"churn_promotion_timestamp_seconds"}
    assert service_metrics()
