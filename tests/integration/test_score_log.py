"""`churn score --log` on both databases: killed and gone on with, found by outcomes, and in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from churn.batch.log import FileLog
from churn.clock import now
from churn.errors import RowsRefused
from churn.ids import new_id
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from churn.store.tables import predictions
from tests.checkout import CHECKOUT
from tests.integration.files_to_score import CONTRACT, customers
from tests.unit.churn.batch.scoring import score

CHILD = """
import sys, time
from pathlib import Path
from churn.batch import log_rows
from churn.batch.log import FileLog
from churn.store.store import Store
from tests.unit.churn.batch.scoring import score
log_rows.CHUNK_ROWS = 100
store = Store.open(sys.argv[1])
slowly = lambda rows: print(rows, flush=True) or time.sleep(0.1)
score(Path(sys.argv[2]), Path(sys.argv[3]), log=FileLog(store, "child", on_rows=slowly))
"""


def customer_ids(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.execute(sa.select(predictions.c.customer_id).order_by(predictions.c.seq)).scalars())


def test_a_killed_run_is_gone_on_with_and_nobody_is_logged_twice(store: Store, url: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out"
    pq.write_table(customers(3_000), source)
    command = [sys.executable, "-c", CHILD, url, str(source), str(out)]
    with subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": "."}, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(5):
            assert child.stdout.readline() == b"100\n"
        child.send_signal(signal.SIGKILL)
    half = len(customer_ids(store))
    assert 500 <= half < 3_000
    assert not (out / "_SUCCESS").exists()
    assert store.find_span("1", after_seq=0, newest=10_000).rows == 0
    logged = score(source, out, log=FileLog(store, "test")).logged
    assert logged is not None
    assert (logged.rows, logged.written) == (3_000, 3_000 - half)
    assert customer_ids(store) == [f"c-1-{n}" for n in range(3_000)]
    assert store.find_span("1", after_seq=0, newest=10_000).rows == 3_000


def test_outcomes_find_their_customers_and_the_monitor_reads_what_was_scored(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    names = ["c\\N", "c\\", 'c"quoted"', "ü-😀", "c,1", "\\\\t"]
    table = customers(len(names))
    pq.write_table(table.set_column(0, "customer_id", pa.array(names)), source)
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    score(source, tmp_path / "out", log=FileLog(store, "test", as_of=moment))
    assert customer_ids(store) == names
    receipt = store.write_outcomes([Outcome(True, moment + timedelta(days=9), customer_id=name) for name in names])
    assert (receipt.accepted, receipt.unknown) == (len(names), [])
    too_early = store.write_outcomes([Outcome(True, moment - timedelta(days=1), customer_id=names[0])])
    assert too_early.unknown == [0]
    (part,) = store.iter_predictions(CONTRACT, "1", store.find_span("1", after_seq=0, newest=100))
    assert part[CONTRACT.feature_names[0]].tolist() == table.to_pandas()[CONTRACT.feature_names[0]].tolist()
    assert set(part["requested_at"]) == {moment}


def test_rows_that_are_there_already_are_not_stored_again(store: Store) -> None:
    rows = [Prediction(new_id(), f"c{n}", now(), "1", 0.25, 0.5, False, {"a": "\\"}).row() for n in range(3)]
    store.copy_rows(rows[:2])
    if store.single_writer:
        store.copy_rows(rows)
    else:
        with pytest.raises(RowsRefused):
            store.copy_rows(rows)
        store.copy_rows(rows[2:])  # the connection is good for others
    assert customer_ids(store) == ["c0", "c1", "c2"]


def test_two_runs_of_one_input_at_once_log_it_once(store: Store, url: str, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(customers(5_000), source)
    results: list[Any] = []

    def run(place: int) -> None:
        own = Store.open(url)
        try:
            results.append(score(source, tmp_path / f"out-{place}", log=FileLog(own, f"run {place}")).logged)
        finally:
            own.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.written for one in results) == [0, 0, 5_000]
    assert len(customer_ids(store)) == 5_000


def test_single_predictions_are_stored_meanwhile(store: Store, url: str, tmp_path: Path) -> None:
    """Between two commits of a file others write; who waits for the end of all would write nothing before it."""
    source = tmp_path / "in.parquet"
    pq.write_table(customers(60_000), source)
    service = Store.open(url, 60.0)
    written, ended = 0, threading.Event()

    def serve() -> None:
        nonlocal written
        while not ended.is_set():
            service.write_rows([Prediction(new_id(), "live", now(), "1", 0.1, 0.5, False, {}).row()])
            written += 1
            time.sleep(0.005)

    thread = threading.Thread(target=serve)
    counts: list[int] = []
    thread.start()
    try:
        score(source, tmp_path / "out", log=FileLog(store, "test", on_rows=lambda _rows: counts.append(written)))
    finally:
        ended.set()
        thread.join()
        service.close()
    assert len(counts) == 30
    assert len(set(counts)) > 5, "others wrote again and again between the first commit and the last"
