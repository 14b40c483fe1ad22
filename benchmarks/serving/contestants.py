"""Who takes part: how each server is started, what it is asked, and where its answer says the probability."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from benchmarks.serving.environments import CHECKOUT
from benchmarks.serving.inhouse import FOLDER
from benchmarks.serving.world import World, as_json, environment

BIN = Path(sys.executable).parent
OURS, KEYED, NO_LOG = "churn", "churn, with keys", "churn, no log"
BARE, NO_MODEL, DATAFRAME = "bare ASGI", "FastAPI, no model", "FastAPI + DataFrame"
MLFLOW, MLSERVER, BENTOML = "mlflow models serve", "MLServer", "BentoML"
PEERS = (MLFLOW, MLSERVER, BENTOML)
UVICORN = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
KEY = "the-key-of-the-benchmark"


@dataclass(frozen=True)
class Contestant:
    """One server.

    Attributes
    ----------
    name : str
    command : list of str
    path : str
        Where it is asked.
    bodies : sequence of bytes
        JSON without line ends, one a request, sent in turn.
    probabilities : callable or None
        Reads the probabilities out of an answer, one a customer of the body; None: it asks no model.
    environment, headers : dict
    folder : Path
        Where it is started.
    ready : str
        Answers 200 as soon as predictions are answered; empty: `path` itself is asked.
    """

    name: str
    command: list[str]
    path: str
    bodies: Sequence[bytes]
    probabilities: Callable[[Any], Sequence[float]] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    folder: Path = CHECKOUT
    ready: str = ""


def in_house(name: str, world: World, customers: pd.DataFrame, port: int) -> Contestant:
    """Give one that runs in our own environment, asked about one customer a request."""
    shared = {**environment(world, port), FOLDER: str(world.mlflow_model)}
    app = {BARE: ["bare"], NO_MODEL: ["validating", "--factory"], DATAFRAME: ["dataframe", "--factory"]}[name]
    command = [str(BIN / "uvicorn"), f"benchmarks.serving.inhouse:{app[0]}", *app[1:], "--port", str(port), *UVICORN]
    read = _one_answer if name == DATAFRAME else None
    return Contestant(name, command, "/predict", flat_bodies(world, customers), read, shared)


def ours(world: World, customers: pd.DataFrame, port: int, *, workers: int = 1) -> Contestant:
    """Give our service as a user has it: all defaults, full validation, every answer logged to SQLite, metrics on."""
    command = [str(BIN / "churn"), "serve", "--workers", str(workers)]
    bodies = flat_bodies(world, customers)
    return Contestant(OURS, command, "/predict", bodies, _one_answer, environment(world, port), ready="/readyz")


def ours_with_keys(world: World, customers: pd.DataFrame, port: int, work: Path) -> Contestant:
    """Give our service with API keys on. It has a home and a store of its own: it runs beside the other one."""
    home = work / "keyed"
    shutil.copytree(world.home / "models", home / "models", dirs_exist_ok=True)
    keys = f"benchmark:predict:{hashlib.sha256(KEY.encode()).hexdigest()}"
    own = {"CHURN_HOME": str(home), "CHURN_STORE_URL": f"sqlite:///{home / 'store.db'}", "CHURN_API_KEYS": keys}
    plain = ours(world, customers, port)
    return replace(plain, name=KEYED, environment={**plain.environment, **own}, headers={"X-API-Key": KEY})


def peer(name: str, world: World, customers: pd.DataFrame, port: int, work: Path, programs: Path) -> Contestant:
    """Give one of the servers that people use today, asked about one customer a request; `programs` are those of its environment."""
    shared = {**environment(world, port), "PYTHONPATH": str(CHECKOUT), "BENCHMARK_PIPELINE": str(world.pipeline)}
    # Servers start helpers by name.
    shared["PATH"] = f"{programs}:{os.environ.get('PATH', '')}"
    return {MLFLOW: _mlflow, MLSERVER: _mlserver, BENTOML: _bentoml}[name](world, customers, port, work, programs, shared)


def flat_bodies(world: World, customers: pd.DataFrame) -> list[bytes]:
    """Spell customers as our clients do: flat objects with booleans for flags."""
    flags = {column.name for column in world.contract.features if column.kind == "flag"}
    return [
        orjson.dumps({name: bool(value) if name in flags and value is not None else value for name, value in record.items()})
        for record in as_json(customers)
    ]


def split_body(customers: pd.DataFrame) -> bytes:
    """Spell customers as MLflow's `dataframe_split`."""
    split = orjson.loads(customers.to_json(orient="split"))
    return orjson.dumps({"dataframe_split": {"columns": split["columns"], "data": split["data"]}})


def open_inference(record: dict[str, Any]) -> dict[str, Any]:
    """Spell one customer as MLServer wants a DataFrame in the Open Inference Protocol."""
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [value], "parameters": {"content_type": "str"}}
        if isinstance(value, str)
        else {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
        for name, value in record.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}


def mlflow_answers(found: Any) -> list[float]:
    """Read the probabilities of churn out of an answer of /invocations, MLflow's or ours."""
    return [float(churn) for _, churn in found["predictions"]]


def _one_answer(found: Any) -> list[float]:
    return [float(found["churn_probability"])]


def _mlflow(
    world: World, customers: pd.DataFrame, port: int, _work: Path, programs: Path, shared: dict[str, str]
) -> Contestant:
    where = ["-m", str(world.mlflow_model), "-p", str(port), "-h", "127.0.0.1"]
    command = [str(programs / "mlflow"), "models", "serve", *where, "--env-manager", "local", "--workers", "1"]
    bodies = [split_body(customers.iloc[[row]]) for row in range(len(customers))]
    return Contestant(MLFLOW, command, "/invocations", bodies, mlflow_answers, shared, ready="/ping")


def _mlserver(
    world: World, customers: pd.DataFrame, port: int, work: Path, programs: Path, shared: dict[str, str]
) -> Contestant:
    folder = work / "mlserver"
    folder.mkdir(parents=True, exist_ok=True)
    # No parallel workers: the model answers in the server's own process, without a queue in between.
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    settings = {"host": "127.0.0.1", **ports, "parallel_workers": 0, "debug": False, "metrics_endpoint": None}
    parameters = {"uri": str(world.pipeline), "version": "1"}
    model = {"name": "churn", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    (folder / "settings.json").write_bytes(orjson.dumps(settings))
    (folder / "model-settings.json").write_bytes(orjson.dumps(model))
    return Contestant(
        MLSERVER,
        [str(programs / "mlserver"), "start", str(folder)],
        "/v2/models/churn/infer",
        [orjson.dumps(open_inference(record)) for record in as_json(customers)],
        lambda found: [float(found["outputs"][0]["data"][1])],
        shared,
        ready="/v2/models/churn/ready",
    )


def _bentoml(
    _world: World, customers: pd.DataFrame, port: int, work: Path, programs: Path, shared: dict[str, str]
) -> Contestant:
    command = [str(programs / "bentoml"), "serve", "bento_service:Churn", "--port", str(port), "--host", "127.0.0.1"]
    quiet = {"BENTOML_HOME": str(work / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    bodies = [orjson.dumps({"customer": record}) for record in as_json(customers)]
    folder = Path(__file__).resolve().parent / "peers"
    return Contestant(
        BENTOML,
        command,
        "/predict",
        bodies,
        lambda found: [float(found)],
        {**shared, **quiet},
        folder=folder,
        ready="/readyz",
    )
