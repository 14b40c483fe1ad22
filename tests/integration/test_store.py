"""The store's promises, the same on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import InputError, StoreAway, StoreError
from churn.ids import new_id
from churn.store.migrate import migrate
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun, Outcome, Prediction
from churn.store.store import Store
from tests.integration.postgres import Server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATABASES = ["sqlite", "postgresql"]


def prediction(n: int, **changes: Any) -> Prediction:
    made = Prediction(
        prediction_id=f"p{n}",
        customer_id=f"c{n}",
        requested_at=NOON + timedelta(seconds=n),
        model_version="1",
        churn_probability=n / 100,
        threshold=0.5,
        churn=False,
        features={"total_day_minutes": float(n), "international_plan": n % 2 == 0, "state": "OH", "total_day_calls": None},
    )
    return replace(made, **changes)


def outcome(prediction_id: str, churned: bool = True) -> Outcome:
    return Outcome(churned, NOON, prediction_id=prediction_id)


def by_customer(customer_id: str, churned: bool = True) -> Outcome:
    return Outcome(churned, NOON, customer_id=customer_id)


def ids(store: Store, contract: Contract, **filters: Any) -> list[str]:
    return store.read_predictions(contract, **filters)["prediction_id"].tolist()


# Predictions


def test_a_prediction_comes_back_as_it_was_written(store: Store, contract: Contract) -> None:
    probability = 0.1 + 0.2  # 17 digits
    store.write_predictions([prediction(1, churn_probability=probability, customer_id=None), prediction(2)])
    log = store.read_predictions(contract)
    first = log.iloc[0]
    assert log.columns.tolist()[:3] == ["seq", "prediction_id", "customer_id"]
    assert log.columns.tolist()[9:] == contract.feature_names
    assert (first["prediction_id"], first["customer_id"], first["model_version"]) == ("p1", None, "1")
    assert first["churn_probability"] == probability
    assert first["requested_at"] == NOON + timedelta(seconds=1)
    assert (first["total_day_minutes"], first["international_plan"], first["state"]) == (1.0, 0.0, "OH")
    assert log["international_plan"].tolist() == [0.0, 1.0]
    assert np.isnan(first["total_day_calls"])
    assert np.isnan(first["churned"])
    assert np.isnan(first["outcome_seq"])


def test_an_empty_log_has_all_columns(store: Store, contract: Contract) -> None:
    log = store.read_predictions(contract)
    assert len(log) == 0
    assert log.columns.tolist()[9:] == contract.feature_names
    assert log["churned"].dtype == np.float64
    assert store.count_predictions() == 0


def test_nothing_to_write_is_no_error(store: Store) -> None:
    store.write_predictions([])
    assert store.write_outcomes([]).accepted == 0


def test_a_prediction_written_again_stays_as_it_was(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    store.write_predictions([prediction(1, churn_probability=0.9), prediction(2)])
    log = store.read_predictions(contract)
    assert log["prediction_id"].tolist() == ["p1", "p2"]
    assert log["churn_probability"].tolist() == [0.01, 0.02]


def test_twice_in_one_batch_is_stored_once(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2), prediction(1, churn_probability=0.9)])
    assert store.read_predictions(contract)["churn_probability"].tolist() == [0.01, 0.02]


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    broken = prediction(2, model_version=None)
    with pytest.raises(StoreError):
        store.write_predictions([prediction(1), broken, prediction(3)])
    assert store.count_predictions() == 0


def test_predictions_are_numbered_in_the_order_they_came(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in (5, 3)])
    store.write_predictions([prediction(4)])
    log = store.read_predictions(contract)
    assert log["prediction_id"].tolist() == ["p5", "p3", "p4"]
    assert log["seq"].is_monotonic_increasing
    assert log["seq"].is_unique


def test_the_log_is_filtered_by_model_number_and_count(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n, model_version="1" if n < 4 else "2") for n in range(1, 7)])
    third = int(store.read_predictions(contract)["seq"].iloc[2])
    assert ids(store, contract, model_version="1") == ["p1", "p2", "p3"]
    assert ids(store, contract, after_seq=third) == ["p4", "p5", "p6"]
    assert ids(store, contract, newest=2) == ["p5", "p6"]
    assert ids(store, contract, model_version="1", newest=2) == ["p2", "p3"]
    assert ids(store, contract, model_version="1", after_seq=third) == []
    assert store.count_predictions() == 6
    assert store.count_predictions(model_version="2") == 3
    assert store.count_predictions(model_version="1", after_seq=third) == 0
    assert store.count_predictions(after_seq=third) == 3


def test_labelled_predictions_are_found_by_the_number_of_their_outcome(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in range(1, 5)])
    store.write_outcomes([outcome("p3"), outcome("p1", churned=False)])
    labelled = store.read_predictions(contract, after_outcome_seq=0)
    assert labelled["prediction_id"].tolist() == ["p1", "p3"]
    assert labelled["churned"].tolist() == [0.0, 1.0]
    assert labelled["observed_at"].tolist() == [NOON, NOON]
    seen = int(labelled["outcome_seq"].max())
    store.write_outcomes([outcome("p2")])
    assert ids(store, contract, after_outcome_seq=seen) == ["p2"]
    assert ids(store, contract) == ["p1", "p2", "p3", "p4"]


def test_the_newest_are_counted_among_the_labelled_when_those_are_asked_for(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in range(1, 6)])
    store.write_outcomes([outcome("p1"), outcome("p2"), outcome("p3")])
    assert ids(store, contract, after_outcome_seq=0, newest=2) == ["p2", "p3"]


# Outcomes


def test_outcomes_are_idempotent(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    said = [outcome("p1"), outcome("p2", churned=False)]
    first, again = store.write_outcomes(said), store.write_outcomes(said)
    assert (first.accepted, first.duplicates) == (2, 0)
    assert (again.accepted, again.duplicates, again.unknown, again.conflicting) == (0, 2, [], [])
    assert store.read_predictions(contract)["churned"].tolist() == [1.0, 0.0]


def test_of_two_results_the_first_stays_and_the_second_is_named(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p2", churned=False)])
    receipt = store.write_outcomes([outcome("p1"), outcome("p2"), outcome("p1", churned=False), outcome("p1")])
    assert (receipt.accepted, receipt.duplicates, receipt.conflicting) == (1, 1, [1, 2])
    assert store.read_predictions(contract)["churned"].tolist() == [1.0, 0.0]


def test_outcomes_of_nobody_are_named_and_the_rest_is_stored(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2, customer_id=None)])
    receipt = store.write_outcomes([outcome("nobody"), by_customer("nobody"), outcome("p1"), Outcome(True, NOON)])
    assert (receipt.accepted, receipt.unknown) == (1, [0, 1, 3])
    assert ids(store, contract, after_outcome_seq=0) == ["p1"]


def test_a_customer_means_the_newest_prediction(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1, customer_id="anna"), prediction(2, customer_id="anna"), prediction(3)])
    assert store.write_outcomes([by_customer("anna")]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2"]
    store.write_predictions([prediction(4, customer_id="anna")])
    assert store.write_outcomes([by_customer("anna", churned=False)]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2", "p4"]


def test_one_prediction_named_by_id_and_by_customer_is_one_outcome(store: Store) -> None:
    store.write_predictions([prediction(1, customer_id="anna")])
    receipt = store.write_outcomes([by_customer("anna"), outcome("p1"), by_customer("anna", churned=False)])
    assert (receipt.accepted, receipt.duplicates, receipt.conflicting) == (1, 1, [2])


def test_many_thousands_in_one_call(store: Store) -> None:
    many = 12_001  # more than three times what is asked for in one statement
    store.write_predictions([prediction(n) for n in range(many)])
    assert store.count_predictions() == many
    said = [outcome(f"p{n}") if n % 2 else by_customer(f"c{n}") for n in range(many)]
    assert store.write_outcomes(said).accepted == many
    again = store.write_outcomes([*said, outcome("nobody")])
    assert (again.accepted, again.duplicates, again.unknown) == (0, many, [many])


# Looks of the monitor, and decisions


def look(**changes: Any) -> MonitorRun:
    made = MonitorRun(
        run_id=new_id(),
        started_at=NOON,
        model_version="1",
        last_seq=10,
        last_outcome_seq=5,
        rows=10,
        labelled_rows=5,
        covariate_alarm=True,
        concept_alarm=False,
        result={"policy": {"action": "wait"}, "p": [0.1, 0.2]},
        report="/reports/1.html",
    )
    return replace(made, **changes)


def test_a_window_is_judged_once(store: Store) -> None:
    first = look()
    assert store.write_monitor_run(first)
    assert not store.write_monitor_run(look(covariate_alarm=False))
    assert store.monitor_runs() == [first]
    assert store.write_monitor_run(look(last_outcome_seq=6))
    assert store.write_monitor_run(look(model_version="2"))


def test_a_look_said_twice_is_there_once(store: Store) -> None:
    first = look()
    assert store.write_monitor_run(first)
    assert store.write_monitor_run(first)
    assert store.monitor_runs() == [first]


def test_a_look_and_its_decision_are_stored_both_or_neither(store: Store) -> None:
    first = Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON)
    assert store.write_monitor_run(look(), first)
    assert not store.write_monitor_run(look(), Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "drift"))
    with pytest.raises(StoreError):
        store.write_monitor_run(
            look(last_seq=11),
            Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "x", decided_at=NOON.replace(tzinfo=None)),
        )
    assert len(store.monitor_runs()) == 1
    assert store.decisions() == [first]


def test_looks_are_listed_newest_first(store: Store) -> None:
    for n in range(4):
        store.write_monitor_run(look(last_seq=n, started_at=NOON + timedelta(minutes=n), model_version=str(n % 2)))
    assert [run.last_seq for run in store.monitor_runs()] == [3, 2, 1, 0]
    assert [run.last_seq for run in store.monitor_runs(limit=2)] == [3, 2]
    assert [run.last_seq for run in store.monitor_runs(model_version="0")] == [2, 0]


def test_decisions_come_back_newest_first_with_their_evidence(store: Store) -> None:
    evidence = {"rows": 300, "interval": [0.01, 0.02], "checks": {"calibrated": True}, "champion": None}
    first = Decision(DecisionKind.GATE, DecisionAction.PROMOTED, "gate", "better", "2", evidence, decided_at=NOON)
    later = Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON + timedelta(hours=1))
    same_time = Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "drift", decided_at=NOON + timedelta(hours=1))
    for decision in (later, first, same_time):
        store.write_decision(decision)
    assert store.decisions() == [same_time, later, first]
    assert store.decisions(kind=DecisionKind.GATE) == [first]
    assert store.decisions(kind=(DecisionKind.GATE, DecisionKind.POLICY), limit=2) == [same_time, later]
    assert store.decisions(model_version="2") == [first]
    assert store.decisions(model_version="3") == []
    assert store.decisions(since=NOON + timedelta(minutes=1)) == [same_time, later]
    assert store.decisions(since=NOON) == [same_time, later, first]
    assert store.decisions(limit=1) == [same_time]


# Times


def test_times_are_utc_whatever_zone_they_were_said_in(store: Store, contract: Contract) -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    store.write_predictions([prediction(1, requested_at=tokyo)])
    store.write_outcomes([Outcome(True, tokyo, prediction_id="p1")])
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=tokyo))
    log = store.read_predictions(contract)
    for said in (log["requested_at"].iloc[0], log["observed_at"].iloc[0], store.decisions()[0].decided_at):
        assert said == NOON
        assert said.utcoffset() == timedelta(0)
    assert store.decisions(since=tokyo + timedelta(seconds=1)) == []


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time zone"):
        store.write_predictions([prediction(1, requested_at=NOON.replace(tzinfo=None))])
    assert store.count_predictions() == 0
    with pytest.raises(StoreError, match="no time zone"):
        store.write_decision(
            Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON.replace(tzinfo=None))
        )


# When things go wrong

CALLS: list[Callable[[Store, Contract], object]] = [
    lambda store, _: store.ping(),
    lambda store, _: store.write_predictions([prediction(1)]),
    lambda store, _: store.write_outcomes([outcome("p1")]),
    lambda store, _: store.count_predictions(),
    lambda store, contract: store.read_predictions(contract),
    lambda store, _: store.write_monitor_run(look()),
    lambda store, _: store.monitor_runs(),
    lambda store, _: store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm")),
    lambda store, _: store.decisions(),
]


def test_a_store_that_goes_away_is_a_store_error_and_works_again_when_it_is_back(
    url: str, contract: Contract, request: pytest.FixtureRequest
) -> None:
    store = Store.open(url)
    store.write_predictions([prediction(1)])
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        # A file's connections outlive the file, so the store that finds it gone is a new one.
        store.close()
        shutil.rmtree(Path(str(address.database)).parent)
    else:
        server: Server = request.getfixturevalue("postgres")
        server.drop(str(address.database))
    for call in CALLS:
        with pytest.raises(StoreError):
            call(store, contract)
    if address.get_backend_name() == "postgresql":
        server.run(f"CREATE DATABASE {address.database}")
    migrate(url)
    for call in CALLS:
        call(store, contract)
    store.close()


def test_an_error_never_repeats_a_customer(store: Store) -> None:
    secret = "customer-4711-secret"
    broken = prediction(1, customer_id=secret, model_version=None, features={"state": secret})
    with pytest.raises(StoreError) as caught:
        store.write_predictions([broken])
    assert secret not in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError) as caught:
        store.write_predictions([prediction(1, customer_id=secret, requested_at=NOON.replace(tzinfo=None))])
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("mysql://localhost/churn", InputError, "SQLite or PostgreSQL"),
        ("no url at all", InputError, "CHURN_STORE_URL"),
        ("postgresql://nobody:hunter2@127.0.0.1:1/churn", StoreAway, "cannot be reached"),
        ("sqlite:////dev/null/store.db", StoreError, "no folder for the store"),
        ("sqlite:////dev", StoreAway, "cannot be reached"),
    ],
)
def test_an_address_that_cannot_work_is_one_clear_line(address: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        Store.open(address)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear customer, " * 200)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{letter}")
    assert letter.read_text() == "Dear customer, " * 200


# Several processes

OPENER = """
import sys
from churn.errors import ChurnError
from churn.store.store import Store

print("ready", flush=True)
for line in sys.stdin:
    try:
        store = Store.open(line.strip())
        store.count_predictions()
        store.close()
        print("ok", flush=True)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


@pytest.mark.parametrize("kind", DATABASES)
def test_processes_that_open_a_new_store_at_once_all_succeed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def fresh(n: int) -> AbstractContextManager[str]:
        if kind == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            return server.database()
        return nullcontext(f"sqlite:///{tmp_path / str(n) / 'store.db'}")

    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        assert {_answer(opener) for opener in openers} == {"ready"}
        for n in range(8):
            with fresh(n) as address:
                for opener in openers:
                    _tell(opener, address)
                assert [_answer(opener) for opener in openers] == ["ok"] * len(openers)
    finally:
        for opener in openers:
            opener.kill()
            opener.communicate()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
