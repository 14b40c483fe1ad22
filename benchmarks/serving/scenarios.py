"""What is measured beside the race for single answers, a function each. Every one gives plain figures; nothing is asserted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import orjson

from benchmarks.serving.baselines import BIN, MLFLOW, OURS, UVICORN, Baseline, in_house, ours, peer, single_body
from benchmarks.serving.fixture import Fixture, environment
from benchmarks.serving.load import press, running
from churn.errors import ChurnError
from churn.inference.compiler import compile_pipeline
from churn.store.store import Store
from pipelines.local.ports import free_port
from service.scoring.scorer import CompiledScorer
from service.scoring.served_model import ServedModel

# Reasons depend on the customer, and what is said of a pattern is kept: more are asked about than patterns are kept
# (`service.scoring.explanations.MAX_PATTERNS`), or a model in which each customer is a pattern of its own would seem fast.
CUSTOMERS = 5_000
Announce = Callable[[str], None]
Figures = dict[str, Any]


def json_batches(fixture: Fixture, work: Path, announce: Announce, *, rows: int, seconds: float, peers: bool) -> list[Figures]:
    """Send the same `dataframe_split` body to our /invocations, to ours without the log, and to MLflow's: rows a second."""
    customers = fixture.customers(rows)
    split = orjson.loads(customers.to_json(orient="split"))
    body = orjson.dumps({"dataframe_split": {"columns": split["columns"], "data": split["data"]}})
    port = free_port()
    usual = ours(fixture, body, port)
    command = [str(BIN / "uvicorn"), "benchmarks.serving.without_log:app", "--factory", *UVICORN, "--port"]
    makers: list[Callable[[int], Baseline]] = [
        lambda at: replace(usual, command=usual.command, path="/invocations", environment=environment(fixture, at)),
        lambda at: replace(
            usual, name=f"{OURS}, no log", command=[*command, str(at)], path="/invocations", environment=environment(fixture, at)
        ),
    ]
    if peers:
        makers.append(lambda at: replace(peer(MLFLOW, fixture, customers.head(1), at, work), body=body))
    found: list[Figures] = []
    for make in makers:
        port = free_port()
        baseline = make(port)
        announce(f"batches of {rows:,}: {baseline.name}")
        try:
            with running(baseline, port, work / "batch.log"):
                press(port, baseline.path, body, connections=2, seconds=2)
                load = press(port, baseline.path, body, connections=4, seconds=seconds)
        except ChurnError as error:
            found.append({"name": baseline.name, "failed": str(error)})
            continue
        found.append({"name": baseline.name, "rows_per_second": load.rate * rows, "p50_ms": load.p50})
    return found


def columnar_batches(fixture: Fixture, work: Path, *, rows: int) -> list[Figures]:
    """Time, in this process, a body of Parquet or Arrow from its bytes to the answer's, and what logging costs. CPU seconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from service.formats.arrow_ipc import arrow_answer, read_arrow
    from service.formats.parquet import parquet_answer, read_parquet
    from service.formats.validation import ColumnRules
    from service.schemas.native import RequestModels

    compiled = compile_pipeline(fixture.model.pipeline, fixture.model.info.features, fixture.contract)
    if compiled is None:
        raise ChurnError("this model cannot be compiled")
    served = ServedModel(fixture.model.info, "", fixture.contract, CompiledScorer(compiled, fixture.contract), None, "disk")
    rules = ColumnRules(fixture.contract, RequestModels.from_contract(fixture.contract, rows).customer)
    table = pa.Table.from_pandas(fixture.customers(rows), preserve_index=False)
    sink, file = pa.BufferOutputStream(), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, file)
    arrow, parquet = sink.getvalue().to_pybytes(), file.getvalue().to_pybytes()
    most = 2**32
    ways: dict[str, Callable[[], int]] = {
        "Arrow": lambda: sum(
            map(len, arrow_answer(served.score_columns(read_arrow(arrow, rules, rows, most, file=False)), file=False))
        ),
        "Parquet": lambda: sum(map(len, parquet_answer(served.score_columns(read_parquet(parquet, rules, rows, most))))),
    }
    found = []
    for name, way in ways.items():
        seconds = min(_cpu(way) for _ in range(4))
        found.append({"name": f"{name}, body to answer", "rows_per_second": rows / seconds})
    batch = served.score_columns(read_arrow(arrow, rules, rows, most, file=False))
    logged = batch.rows(fixture.contract)
    store = Store.open(f"sqlite:///{work / 'log.db'}")
    found.append({"name": "making the log's rows", "rows_per_second": rows / _cpu(lambda: batch.rows(fixture.contract))})
    found.append({"name": "writing them to SQLite", "rows_per_second": rows / _cpu(lambda: store.write_rows(logged))})
    store.close()
    return found


def _cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def reasons(fixture: Fixture, work: Path, *, seconds: float, repeats: int) -> Figures:
    """Compare throughput with the three strongest reasons in each answer, and without, for many customers in turn."""
    port = free_port()
    customers = fixture.customers(CUSTOMERS)
    bodies = [single_body(customers, fixture, row) for row in range(CUSTOMERS)]
    rates: dict[str, list[float]] = {"/predict": [], "/predict?reasons=3": []}
    with running(ours(fixture, bodies[0], port), port, work / "reasons.log") as server:
        for path in rates:
            press(port, path, *bodies, connections=8, seconds=1)  # warm
        spent: dict[str, list[float]] = {path: [] for path in rates}
        for _ in range(repeats):
            for path, found in rates.items():
                before = server.cpu_seconds()
                load = press(port, path, *bodies, connections=32, seconds=seconds)
                found.append(load.rate)
                spent[path].append(1e6 * (server.cpu_seconds() - before) / load.requests)
    plain, explained = (median(found) for found in rates.values())
    plain_cpu, explained_cpu = (median(found) for found in spent.values())
    return {
        "plain": plain,
        "with_reasons": explained,
        "cost": 1 - explained / plain,
        "plain_cpu_us": plain_cpu,
        "with_reasons_cpu_us": explained_cpu,
    }


def starts(fixture: Fixture, work: Path) -> Figures:
    """Time from the command to the first good answer of /readyz: first with the model still to be fetched, then warm."""
    found = []
    for _ in range(3):
        port = free_port()
        baseline = in_house(fixture, fixture.customers(1), port)[-1]
        with running(baseline, port, work / "start.log") as server:
            found.append(server.ready_seconds)
    return {"first_seconds": found[0], "warm_seconds": min(found[1:])}


def memory(fixture: Fixture, work: Path, announce: Announce, *, requests: int) -> Figures:
    """Sample the worker's resident memory over many requests."""
    port = free_port()
    baseline = in_house(fixture, fixture.customers(1), port)[-1]
    samples = []
    with running(baseline, port, work / "memory.log") as server:
        done = 0
        samples.append({"requests": 0, "rss_mb": server.rss()})
        while done < requests:
            load = press(port, baseline.path, baseline.body, connections=32, seconds=5 if requests > 100_000 else 1)
            done += load.requests
            samples.append({"requests": done, "rss_mb": server.rss()})
            announce(f"memory: {done:,} requests, {samples[-1]['rss_mb']:.0f} MB")
    return {
        "samples": samples,
        "start_mb": samples[0]["rss_mb"],
        "end_mb": samples[-1]["rss_mb"],
        "max_mb": max(s["rss_mb"] for s in samples),
    }


def workers(fixture: Fixture, work: Path, announce: Announce, *, seconds: float) -> list[Figures]:
    """Press one worker, then two; and compare what /metrics counts with what was answered."""
    found = []
    for number in (1, 2):
        announce(f"workers: {number}")
        port = free_port()
        baseline = ours(fixture, in_house(fixture, fixture.customers(1), port)[-1].body, port, number)
        with running(baseline, port, work / "workers.log"):
            load = press(port, baseline.path, baseline.body, connections=32, seconds=seconds)
            counted = _sum_of(httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text, "churn_predictions_total")
        # Answers that were on their way when wrk stopped are counted and not seen: at most one a connection.
        found.append({"workers": number, "rate": load.rate, "answered": load.requests, "counted": counted})
    return found


def _sum_of(text: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{"))


def machine() -> Figures:
    """Tell on what this was measured."""
    import os
    import platform

    return {
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }
