from __future__ import annotations

import http.client
import socketserver
import threading
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from churn.errors import StoreError
from churn.store.contacts.records import Contact
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.exporter import exporter as module
from monitoring.exporter.exporter import exporter, serve_exporter
from monitoring.monitor import record_run, run_monitor
from tests.unit.monitoring.fakes import CONTRACT, come_true, customers, launch, make_settings, serve

NOW = datetime(2026, 3, 2, tzinfo=UTC)
REFERENCE = customers(1500, seed=1)


@pytest.fixture(autouse=True)
def stops_at_once(monkeypatch):
    """The server asks twice a second whether it is to stop; here a hundred times."""
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.01,))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url):
    opened = Store.open(url)
    yield opened
    opened.close()


def scrape(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_new_store_exports_nothing_but_that_it_is_up(url):
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert told.pop(("churn_monitor_up",)) == 1.0
    # Counters that alerts look at stand at 0 from the start.
    assert set(told) == {
        ("churn_outcomes_total",),
        ("churn_opt_outs",),
        *(("churn_policy_decisions_total", action) for action in ("none", "watch", "retrain", "page")),
        *(("churn_promotions_total", kind) for kind in ("promotion", "rollback")),
    }
    assert set(told.values()) == {0.0}


def test_a_concept_alarm_stays_until_outcomes_are_judged_again(store, url):
    frame = launch(200, seed=2)
    come_true(store, serve(store, frame), frame)
    run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW)
    assert record_run(store, run)
    for n in range(1, 61):
        without = replace(run.result, run_id=str(n), started_at=NOW + timedelta(minutes=5 * n), concept=None, sequential=None)
        window = replace(run.result.window, labelled_rows=0, last_seq=run.result.window.last_seq + n)
        assert store.write_monitor_run(replace(without, window=window).to_record())

    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert told["churn_drift_alarm", "concept"] == 1
    assert told["churn_window_labelled_rows",] == 200
    assert ("churn_brier_score", "realized") in told


def test_what_the_monitor_found_is_exported(store, url):
    frame = launch(200, seed=2)
    come_true(store, serve(store, frame), frame)
    run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW)
    assert record_run(store, run)
    serve(store, customers(150, seed=3))
    assert record_run(store, run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW + timedelta(minutes=5)))

    store.write_contacts([Contact(NOW, customer_id=f"c{n}", campaign="may") for n in range(3)])
    store.write_contacts([Contact(NOW, customer_id="c0"), Contact(NOW, customer_id="c9", opt_out=True)])
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert (told["churn_contacts_total", "may"], told["churn_contacts_total", ""], told["churn_opt_outs",]) == (3, 1, 1)
    assert told["churn_monitor_up",] == 1
    assert told["churn_monitor_last_run_timestamp_seconds",] == (NOW + timedelta(minutes=5)).timestamp()
    # Drift is that of the newest run with predictions, performance that of the newest with outcomes.
    assert told["churn_window_rows",] == 150
    assert told["churn_drift_alarm", "covariate"] == 0
    assert told["churn_drift_alarm", "prediction"] == 0
    assert told["churn_drift_alarm", "concept"] == 1
    assert told["churn_drift_statistic", "plan"] < told["churn_drift_threshold", "plan"]
    assert {key[1] for key in told if key[0] == "churn_drift_statistic"} == {*CONTRACT.feature_names, "churn_probability"}
    assert run.result.performance.realized is not None
    assert told["churn_roc_auc", "realized"] == pytest.approx(run.result.performance.realized.roc_auc)
    assert told["churn_brier_score", "realized"] == pytest.approx(run.result.performance.realized.brier)
    assert told["churn_outcomes_total",] == 200
    assert told["churn_flow_last_success_timestamp_seconds", "monitor"] == (NOW + timedelta(minutes=5)).timestamp()


def test_a_run_with_outcomes_only_leaves_the_drift_of_the_run_before(store, url):
    frame = customers(150, seed=3)
    ids = serve(store, frame)
    assert record_run(store, run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW))
    come_true(store, ids, frame)
    assert record_run(store, run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW + timedelta(minutes=5)))
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert told["churn_window_rows",] == 150
    assert told["churn_drift_alarm", "covariate"] == 0
    assert ("churn_brier_score", "realized") in told


def test_a_feature_that_drifted_is_above_its_threshold(store, url):
    frame = customers(200, seed=2)
    frame["minutes"] = float("nan")
    serve(store, frame)
    assert record_run(store, run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW))
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    above = {
        n
        for (name, *n_) in told
        if name == "churn_drift_statistic"
        for n in n_
        if told[name, n] >= told["churn_drift_threshold", n]
    }
    assert above == {"minutes"}
    assert told["churn_drift_alarm", "covariate"] == 1
    assert ("churn_roc_auc", "realized") not in told


def test_retrainings_are_counted_by_reason_and_result(store, url):
    for n, (action, reason) in enumerate(
        [("promoted", "drift"), ("rejected", "drift"), ("rejected", "drift"), ("failed", "schedule"), ("failed", None)]
    ):
        evidence = {} if reason is None else {"reason": reason}
        store.write_decision(
            Decision(DecisionKind.RETRAIN, action, "train", "", evidence=evidence, decided_at=NOW + timedelta(hours=n))
        )
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", evidence={"reason": "drift"}))
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert {key[1:]: value for key, value in told.items() if key[0] == "churn_retrains_total"} == {
        ("drift", "promoted"): 1,
        ("drift", "rejected"): 2,
        ("schedule", "failed"): 1,
        ("", "failed"): 1,
    }
    assert told["churn_flow_last_success_timestamp_seconds", "train"] == (NOW + timedelta(hours=2)).timestamp()


def test_flows_tell_how_they_ended_also_when_there_was_nothing_to_do(store, url):
    store.write_flow_run("monitor", seconds=2.5, at=NOW)
    store.write_flow_run("monitor", seconds=1.0, at=NOW + timedelta(minutes=5))
    store.write_flow_run("monitor", seconds=4.0, failure="the registry is away", at=NOW + timedelta(minutes=10))
    with exporter(lambda: Store.open(url), 0, settings=make_settings(monitor_interval_seconds=60)) as port:
        told = scrape(port)
    assert told["churn_flow_runs_total", "monitor", "succeeded"] == 2
    assert told["churn_flow_runs_total", "monitor", "failed"] == 1
    assert told["churn_flow_last_failed", "monitor"] == 1
    assert told["churn_flow_duration_seconds", "monitor"] == 4
    assert told["churn_flow_last_run_timestamp_seconds", "monitor"] == (NOW + timedelta(minutes=10)).timestamp()
    assert told["churn_monitor_last_run_timestamp_seconds",] == (NOW + timedelta(minutes=5)).timestamp()
    assert told["churn_monitor_interval_seconds",] == 60


def test_decisions_and_changes_of_the_champion_are_exported(store, url):
    for kind, action in (("policy", "watch"), ("policy", "page"), ("promotion", "promoted"), ("rollback", "rolled back")):
        store.write_decision(Decision(kind, action, "somebody", "", decided_at=NOW))
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "", decided_at=NOW + timedelta(hours=1)))
    with exporter(lambda: Store.open(url), 0) as port:
        told = scrape(port)
    assert {k[1]: v for k, v in told.items() if k[0] == "churn_policy_decisions_total"} == {
        "none": 0,
        "watch": 2,
        "retrain": 0,
        "page": 1,
    }
    assert {k[1]: v for k, v in told.items() if k[0] == "churn_policy_action"} == {"none": 0, "watch": 1, "retrain": 0, "page": 0}
    assert told["churn_promotions_total", "promotion"] == told["churn_promotions_total", "rollback"] == 1
    assert told["churn_promotion_timestamp_seconds", "rollback"] == NOW.timestamp()


def test_a_bad_brier_score_can_be_told_from_one_that_pages(store, url):
    frame = launch(200, seed=2)
    come_true(store, serve(store, frame), frame)
    run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW)
    assert record_run(store, run)
    with exporter(lambda: Store.open(url), 0, settings=make_settings(page_brier=0.01)) as port:
        told = scrape(port)
    assert run.result.performance.reference is not None
    assert told["churn_brier_page_limit",] == pytest.approx(run.result.performance.reference.brier + 0.01)
    assert told["churn_brier_score", "reference"] == pytest.approx(run.result.performance.reference.brier)
    assert told["churn_outcomes_last_received_timestamp_seconds",] > 0
    assert told["churn_predictions_last_timestamp_seconds",] > 0


def test_a_store_that_is_away_is_told_and_found_again(url):
    away = True

    def open_store() -> Store:
        if away:
            raise StoreError("away")
        return Store.open(url)

    with exporter(open_store, 0) as port:
        assert scrape(port) == {("churn_monitor_up",): 0.0}
        away = False
        assert scrape(port)["churn_monitor_up",] == 1.0


def test_a_store_that_goes_away_later_is_told(store, url):
    with exporter(lambda: Store.open(url), 0) as port:
        assert scrape(port)["churn_monitor_up",] == 1.0
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE outcomes RENAME TO gone")
        assert scrape(port) == {("churn_monitor_up",): 0.0}


def test_it_is_served_until_it_is_stopped(url, tmp_path, monkeypatch):
    bound: list[int] = []
    ready, stop = threading.Event(), threading.Event()

    def start(port, **kwargs):
        server, thread = original(0, **kwargs)
        assert port == settings.exporter_port
        bound.append(server.server_port)
        ready.set()
        return server, thread

    original = module.start_http_server
    monkeypatch.setattr(module, "start_http_server", start)
    settings = make_settings(tmp_path, store_url=url)
    served = threading.Thread(target=serve_exporter, args=(settings,), kwargs={"stop": stop})
    served.start()
    assert ready.wait(120)
    assert scrape(bound[0])["churn_monitor_up",] == 1.0
    stop.set()
    served.join(120)
    assert not served.is_alive()
    with pytest.raises(OSError, match="refused"):
        scrape(bound[0])


def test_a_store_that_hangs_in_whatever_does_not_hang_the_scrape(url):
    hung, opened = threading.Event(), []

    def hang() -> Store:
        opened.append(1)
        hung.wait(120)
        return Store.open(url)

    with exporter(hang, 0, seconds=0.05) as port:
        for _ in range(3):
            assert scrape(port)["churn_monitor_up",] == 0.0
        assert len(opened) == 1, "while one scrape hangs, no other is begun"
        hung.set()
        told = {("churn_monitor_up",): 0.0}
        while not told["churn_monitor_up",]:
            told = scrape(port)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 200), ("OPTIONS", 200), ("POST", 405)])
def test_every_method_is_answered_at_once(url, method, status):
    with exporter(lambda: Store.open(url), 0) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, "/metrics")
        answer = connection.getresponse()
        assert answer.status == status
        assert (len(answer.read()) > 0) is (method in ("GET", "POST"))
        connection.close()
