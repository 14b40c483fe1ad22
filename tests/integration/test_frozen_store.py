"""A PostgreSQL that accepts connections and then stands still: everything that needs it says so, in time and in one line."""

from __future__ import annotations

import http.client
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Failed

from benchmarks.chaos.pipelines.without_engine import flow_without_engine
from churn.errors import StoreError
from churn.store.database import engine
from churn.store.store import Store
from monitoring.exporter.exporter import exporter
from tests.forked import churn
from tests.integration.postgres import Server, postgres_server

# None of these is a measurement: without a timeout nothing would come at all.
TIMEOUT_SECONDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as started:
        yield started


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with server.database() as made:
        Store.open(made).close()
        yield made


@pytest.fixture
def frozen(server: Server, url: str) -> Iterator[str]:
    server.signal(signal.SIGSTOP)
    try:
        yield url
    finally:
        server.signal(signal.SIGCONT)


def scrape(port: int, method: str = "GET") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    connection.request(method, "/metrics")
    answer = connection.getresponse()
    assert answer.status == http.client.OK
    told = answer.read().decode()
    connection.close()
    return told


def wait_until_up(port: int) -> None:
    """Scrape until the store answers: on a busy machine one may take longer than the exporter waits."""
    deadline = time.monotonic() + 2 * TIMEOUT_SECONDS
    while "churn_monitor_up 1.0" not in scrape(port):
        assert time.monotonic() < deadline, "the exporter does not recover"


def test_the_exporter_says_that_it_is_not_up_and_recovers(server: Server, url: str) -> None:
    with exporter(lambda: Store.open(url, 2.0), 0) as port:
        wait_until_up(port)
        server.signal(signal.SIGSTOP)
        try:
            for _ in range(2):
                assert "churn_monitor_up 0.0" in scrape(port)
        finally:
            server.signal(signal.SIGCONT)
        wait_until_up(port)


def test_opening_the_store_gives_up_though_nobody_named_a_timeout(frozen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError):
        Store.open(frozen)


def test_an_open_store_does_not_wait_for_ever(server: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_SECONDS", 2.0)
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 2.0)
    store = Store.open(url)
    server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreError):
            store.ping()
    finally:
        server.signal(signal.SIGCONT)
        store.close()


@pytest.mark.parametrize("name", ["train", "monitor"])
@pytest.mark.filterwarnings("default")
def test_a_flow_gives_up_with_one_line_and_so_do_those_who_note_its_end(
    name: str, frozen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {
        "CHURN_STORE_URL": frozen,
        "CHURN_HOME": str(tmp_path),
        "PREFECT_API_URL": "http://127.0.0.1:1/api",
    }.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 2.0)
    flow = flow_without_engine(name, put=monkeypatch.setattr)
    with pytest.raises(StoreError) as caught:
        flow()
    assert "\n" not in str(caught.value)
    run = SimpleNamespace(id="r1", parameters={}, start_time=None, expected_start_time=None)
    for hook in hooks_of(name):
        with suppress(StoreError):
            hook(SimpleNamespace(name=name), run, Failed(message=str(caught.value)))


@pytest.mark.long
def test_a_monitoring_run_by_hand_ends_with_the_reason(frozen: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("churn")), "monitor", "--once"]
    environment = {**os.environ, "CHURN_STORE_URL": frozen, "CHURN_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    # That its end could not be noted is said before.
    *before, last = done.stderr.strip().splitlines()
    assert last == "churn: the store cannot be reached: connection timeout expired"
    assert before, "nobody is told that its end was not noted"
    assert ["could not be written down: the store cannot be reached" in line for line in before] == [True] * len(before)


def hooks_of(name: str) -> list[Any]:
    flow = getattr(importlib.import_module(f"pipelines.flows.{name}"), f"{name}_flow")
    return list(flow.on_failure_hooks)


def test_a_command_on_the_store_ends_with_one_line(frozen: str, tmp_path: Path) -> None:
    environment = {**os.environ, "CHURN_STORE_URL": frozen, "CHURN_HOME": str(tmp_path)}
    done = churn("store", "prune", "--older-than", "30", environment=environment)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
