"""What is measured, a function each. Every one gives plain figures; nothing is asserted here."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import orjson
import pandas as pd

from benchmarks.serving.baselines import (
    BENTOML,
    BIN,
    MLFLOW,
    MLSERVER,
    OURS,
    UVICORN,
    Baseline,
    in_house,
    install,
    ours,
    peer,
)
from benchmarks.serving.fixture import Fixture, environment
from benchmarks.serving.load import Load, Server, ask, free_port, press, running
from churn.errors import ChurnError
from churn.inference.compiler import compile_pipeline
from churn.store.store import Store
from service.scoring.scorer import CompiledScorer
from service.scoring.served_model import ServedModel

PEER_NAMES = (MLFLOW, MLSERVER, BENTOML)
CLOSE = 1e-6
Announce = Callable[[str], None]
Figures = dict[str, Any]


def single_answers(
    fixture: Fixture, work: Path, announce: Announce, *, seconds: float, repeats: int, peers: bool
) -> list[Figures]:
    """Press each baseline with one customer a request, in turns, so that a noisy machine hits all alike."""
    customers = fixture.customers(1)
    results: dict[str, Figures] = {}
    with ExitStack() as stack:
        servers: list[Server] = []
        for make in _baselines(fixture, customers, work, peers=peers):
            port = free_port()
            try:
                baseline = make(port)
            except (OSError, ValueError, RuntimeError, ChurnError) as error:  # an environment that cannot be made
                announce(f"left out: {error}")
                results[str(error)[:60]] = {"name": "peer", "failed": str(error)}
                continue
            announce(f"starting {baseline.name}")
            try:
                server = stack.enter_context(running(baseline, port, work / f"{baseline.name.replace(' ', '-')}.log"))
                _check(server, fixture, customers)
                press(port, baseline.path, baseline.body, connections=8, seconds=1)  # warm
            except ChurnError as error:
                announce(str(error))
                results[baseline.name] = {"name": baseline.name, "failed": str(error)}
                continue
            servers.append(server)
        loads: dict[str, list[tuple[Load, Load]]] = {server.baseline.name: [] for server in servers}
        for turn in range(repeats):
            for server in servers:
                announce(f"turn {turn + 1} of {repeats}: {server.baseline.name}")
                many, one = (
                    press(server.port, server.baseline.path, server.baseline.body, connections=c, seconds=s)
                    for c, s in ((32, seconds), (1, max(1, seconds / 2)))
                )
                loads[server.baseline.name].append((many, one))
        for server in servers:
            turns = loads[server.baseline.name]
            rates = [many.rate for many, _ in turns]
            results[server.baseline.name] = {
                "name": server.baseline.name,
                "rate": median(rates),
                "rates": rates,
                "p50_ms": median(many.p50 for many, _ in turns),
                "p99_ms": median(many.p99 for many, _ in turns),
                "one_connection_p50_ms": median(one.p50 for _, one in turns),
                "ready_seconds": server.ready_seconds,
                "rss_mb": server.rss(),
                "asks_a_model": server.baseline.probability is not None,
            }
    return list(results.values())


def _baselines(fixture: Fixture, customers: pd.DataFrame, work: Path, *, peers: bool) -> list[Callable[[int], Baseline]]:
    def house(place: int) -> Callable[[int], Baseline]:
        return lambda port: in_house(fixture, customers, port)[place]

    def outside(name: str) -> Callable[[int], Baseline]:
        def make(port: int) -> Baseline:
            try:
                install(name)
            except (OSError, ValueError, RuntimeError) as error:
                raise ChurnError(f"{name} cannot be installed: {error}") from error
            return peer(name, fixture, customers, port, work)

        return make

    return [*(house(place) for place in range(4)), *(outside(name) for name in (PEER_NAMES if peers else ()))]


def _check(server: Server, fixture: Fixture, customers: pd.DataFrame) -> None:
    """Compare its answer with the pipeline's own before anything is timed."""
    baseline = server.baseline
    answer = ask(baseline, server.port)
    if answer.status_code != httpx2.codes.OK:
        raise ChurnError(f"{baseline.name} answers {answer.status_code}: {answer.text[:200]}")
    if baseline.probability is not None:
        own = float(fixture.probabilities(customers)[0])
        if not abs(baseline.probability(answer.json()) - own) <= CLOSE:
            raise ChurnError(f"{baseline.name} answers otherwise than the pipeline itself")


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
        "Parquet": lambda: len(parquet_answer(served.score_columns(read_parquet(parquet, rules, rows, most)))),
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
    """Compare throughput with the three strongest reasons in each answer, and without."""
    port = free_port()
    baseline = in_house(fixture, fixture.customers(1), port)[-1]
    rates: dict[str, list[float]] = {"/predict": [], "/predict?reasons=3": []}
    with running(baseline, port, work / "reasons.log"):
        for _ in range(repeats):
            for path, found in rates.items():
                found.append(press(port, path, baseline.body, connections=32, seconds=seconds).rate)
    plain, explained = (median(found) for found in rates.values())
    return {"plain": plain, "with_reasons": explained, "cost": 1 - explained / plain}


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
        "most_mb": max(s["rss_mb"] for s in samples),
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
        "at": time.strftime("%Y-%m-%d %H:%M"),
    }
