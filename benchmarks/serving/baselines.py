"""Who takes part in the race for single answers: how each is started, asked, and checked before it is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from benchmarks.serving.fixture import Fixture, as_json, environment
from benchmarks.serving.inhouse import FOLDER
from pipelines.local.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
PEERS, PINS = CHECKOUT / ".peers", Path(__file__).resolve().parent / "peers"
BIN = Path(sys.executable).parent
OURS, BARE, NO_MODEL, DATAFRAME = "churn", "bare ASGI", "FastAPI, no model", "FastAPI + DataFrame"
MLFLOW, MLSERVER, BENTOML = "mlflow models serve", "MLServer", "BentoML"
UVICORN = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]


@dataclass(frozen=True)
class Baseline:
    """One server.

    Attributes
    ----------
    name : str
    command : list of str
    path : str
        Where it is asked.
    body : bytes
        One customer as JSON.
    probability : callable or None
        Reads the probability out of an answer; None: it asks no model.
    ready : str
        Answers 200 as soon as predictions are answered; empty: `path` itself is asked.
    """

    name: str
    command: list[str]
    path: str
    body: bytes
    probability: Callable[[Any], float] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = CHECKOUT
    ready: str = ""


def in_house(fixture: Fixture, customers: pd.DataFrame, port: int) -> list[Baseline]:
    """Give those that run in our own environment, ours last."""
    body = single_body(customers, fixture)
    shared = {**environment(fixture, port), FOLDER: str(fixture.mlflow_model)}

    def uvicorn(app: str, *more: str) -> list[str]:
        return [str(BIN / "uvicorn"), f"benchmarks.serving.inhouse:{app}", "--port", str(port), *more, *UVICORN]

    def answer(found: Any) -> float:
        return float(found["churn_probability"])

    return [
        Baseline(BARE, uvicorn("bare"), "/predict", body, environment=shared),
        Baseline(NO_MODEL, uvicorn("validating", "--factory"), "/predict", body, environment=shared),
        Baseline(DATAFRAME, uvicorn("dataframe", "--factory"), "/predict", body, answer, shared),
        ours(fixture, body, port),
    ]


def ours(fixture: Fixture, body: bytes, port: int, workers: int = 1) -> Baseline:
    """Give our service as a user has it: full validation, every answer logged to SQLite, metrics on."""
    command = [str(BIN / "churn"), "serve", "--workers", str(workers)]
    return Baseline(
        OURS,
        command,
        "/predict",
        body,
        lambda found: float(found["churn_probability"]),
        environment(fixture, port),
        ready="/readyz",
    )


def peer(name: str, fixture: Fixture, customers: pd.DataFrame, port: int, work: Path) -> Baseline:
    """Give one of the servers that people use today."""
    record = as_json(customers)
    shared = {**environment(fixture, port), "PYTHONPATH": str(CHECKOUT), "BENCHMARK_PIPELINE": str(fixture.pipeline)}
    if name == MLFLOW:
        split = {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}}
        command = [str(PEERS / "mlflow/bin/mlflow"), "models", "serve", "-m", str(fixture.mlflow_model), "-p", str(port)]
        path = f"{PEERS / 'mlflow/bin'}:{os.environ.get('PATH', '')}"
        return Baseline(
            MLFLOW,
            [*command, "-h", "127.0.0.1", "--env-manager", "local", "--workers", "1"],
            "/invocations",
            orjson.dumps(split),
            lambda found: float(found["predictions"][0][1]),
            {**shared, "PATH": path},
            ready="/ping",
        )
    if name == MLSERVER:
        folder = _mlserver_folder(fixture, port, work)
        return Baseline(
            MLSERVER,
            [str(PEERS / "mlserver/bin/mlserver"), "start", str(folder)],
            "/v2/models/churn/infer",
            orjson.dumps(_open_inference(record)),
            lambda found: float(found["outputs"][0]["data"][1]),
            shared,
            ready="/v2/models/churn/ready",
        )
    command = [str(PEERS / "bentoml/bin/bentoml"), "serve", "bento_service:Churn", "--port", str(port), "--host", "127.0.0.1"]
    paths = {"BENTOML_HOME": str(work / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    return Baseline(
        BENTOML, command, "/predict", orjson.dumps({"customer": record}), float, {**shared, **paths}, PINS, ready="/readyz"
    )


def install(name: str) -> None:
    """Make a peer's environment from its pins, unless it is there; CalledProcessError if that fails."""
    environment = PEERS / {MLFLOW: "mlflow", MLSERVER: "mlserver", BENTOML: "bentoml"}[name]
    # Written last: an environment whose making was interrupted is made anew.
    complete = environment / "complete"
    pins = PINS / f"{environment.name}.txt"
    if complete.is_file() and complete.read_bytes() == pins.read_bytes():
        return
    uv = str(BIN / "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", str(environment)], check=True)
    wanted = ["-r", str(pins), "--no-deps"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(environment / "bin/python"), *wanted], check=True)
    complete.write_bytes(pins.read_bytes())


def single_body(customers: pd.DataFrame, fixture: Fixture, row: int = 0) -> bytes:
    """Return one customer as a client of ours would send it."""
    return orjson.dumps(_with_flags(as_json(customers, row), fixture))


def _with_flags(record: dict[str, Any], fixture: Fixture) -> dict[str, Any]:
    """Spell flags as booleans, as a client of ours would."""
    flags = {column.name for column in fixture.contract.features if column.kind == "flag"}
    return {name: bool(value) if name in flags and value is not None else value for name, value in record.items()}


def _open_inference(record: dict[str, Any]) -> dict[str, Any]:
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [value], "parameters": {"content_type": "str"}}
        if isinstance(value, str)
        else {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for name, value in record.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}


def _mlserver_folder(fixture: Fixture, port: int, work: Path) -> Path:
    folder = work / "mlserver"
    folder.mkdir(parents=True, exist_ok=True)
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", **ports, "parallel_workers": 0, "debug": False, "logging_settings": None}
    (folder / "settings.json").write_text(json.dumps(settings))
    parameters = {"uri": str(fixture.pipeline), "version": "1"}
    model = {"name": "churn", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    (folder / "model-settings.json").write_text(json.dumps(model))
    return folder
