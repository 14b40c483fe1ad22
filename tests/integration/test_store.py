"""The store as a whole: times, errors and opening, the same on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import InputError, StoreAway, StoreError
from churn.store.migrate import migrate
from churn.store.records import Decision, DecisionAction, DecisionKind, Outcome
from churn.store.store import Store
from tests.integration.postgres import Server
from tests.unit.churn.store.rows import NOON, by_customer, monitor_run, outcome, prediction

DATABASES = ["sqlite", "postgresql"]


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


def test_many_thousands_in_one_call(store: Store) -> None:
    many = 12_001  # more than three times what is asked for in one statement
    store.write_predictions([prediction(n) for n in range(many)])
    assert store.count_predictions() == many
    said = [outcome(f"p{n}") if n % 2 else by_customer(f"c{n}") for n in range(many)]
    assert store.write_outcomes(said).accepted == many
    again = store.write_outcomes([*said, outcome("nobody")])
    assert (again.accepted, again.duplicates, again.unknown) == (0, many, [many])


# When things go wrong

CALLS: list[Callable[[Store, Contract], object]] = [
    lambda store, _: store.ping(),
    lambda store, _: store.write_predictions([prediction(1)]),
    lambda store, _: store.write_outcomes([outcome("p1")]),
    lambda store, _: store.count_predictions(),
    lambda store, contract: store.read_predictions(contract),
    lambda store, _: store.write_monitor_run(monitor_run()),
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


@pytest.fixture(scope="module")
def openers() -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        assert {_answer(opener) for opener in started} == {"ready"}
        yield started
    finally:
        for opener in started:
            opener.kill()
            opener.communicate()


@pytest.mark.parametrize("kind", DATABASES)
def test_processes_that_open_a_new_store_at_once_all_succeed(
    kind: str, openers: list[subprocess.Popen[str]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def fresh(n: int) -> AbstractContextManager[str]:
        if kind == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            return server.database()
        return nullcontext(f"sqlite:///{tmp_path / str(n) / 'store.db'}")

    for n in range(8):
        with fresh(n) as address:
            for opener in openers:
                _tell(opener, address)
            assert [_answer(opener) for opener in openers] == ["ok"] * len(openers)


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
