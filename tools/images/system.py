"""Both images at work: flows train and register a model, the service answers from it, is stopped, and finds its state again."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq

from churn.config.settings import load_settings
from churn.errors import ChurnError
from deploy.make_secrets import make_secrets
from tools.containers.engine import Engine
from tools.images.build import image_name
from tools.images.container import HEALTHY, HOME, Container, Run, get_status
from tools.loopback_http import http
from tools.stack.callers import CUSTOMER
from tools.stack.compose_file import read_services

# k8s/base/service.yaml asks for this much.
MAX_SERVICE_KB = 384 * 1024


@dataclass
class System:
    """One run of both images, for the time of a `with` block around its `run`."""

    engine: Engine
    run: Run
    folder: Path
    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.service, self.pipelines = image_name("service"), image_name("pipelines")
        make_secrets(self.folder / "secrets")
        self.key = (self.folder / "secrets" / "operator_key").read_text().strip()

    def start_servers(self) -> dict[str, Container]:
        """Start MLflow and Prefect from the pipelines image, and wait until both answer."""
        compose = read_services()
        quiet = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        mlflow = ["server", "--host=0.0.0.0", "--port=5000", "--workers=1", "--serve-artifacts"]
        mlflow += [f"--backend-store-uri=sqlite:///{HOME}/mlflow.db", f"--artifacts-destination={HOME}/artifacts"]
        mlflow.append("--allowed-hosts=mlflow:5000,127.0.0.1:5000")
        prefect = {name: value for name, value in compose["prefect"].environment.items() if "PGPASSWORD" not in name}
        del prefect["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
        servers = {
            "mlflow": self.run.start(
                "mlflow",
                self.pipelines,
                mlflow,
                entrypoint="mlflow",
                volume="mlflow",
                environment=quiet | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            ),
            "prefect": self.run.start(
                "prefect", self.pipelines, compose["prefect"].program[1:], entrypoint="prefect", environment=prefect
            ),
        }
        for name, server in servers.items():
            url = compose[name].health[-1]
            server.wait_until(partial(server.answers, url), "its health")
        return servers

    def start_flows(self, name: str, *words: str, files: dict[Path, str] | None = None) -> Container:
        """Start one of the flows' commands on their volume.

        Parameters
        ----------
        name : str
            Unique in this run.
        *words : str
            The command; the image's own if there is none.
        files : dict of Path to str, optional
            Files of this machine, and where it finds them.

        Returns
        -------
        Container
        """
        compose = read_services()["flows"].environment
        store = {"CHURN_TRACKING_URI": "http://mlflow:5000", "PREFECT_API_URL": "http://prefect:4200/api", "CHURN_DATA_URL": ""}
        runner = {key: value for key, value in compose.items() if key.startswith(("PREFECT_RUNNER", "DO_NOT", "MLFLOW"))}
        return self.run.start(name, self.pipelines, words, volume="flows", environment=store | runner, files=files)

    def start_service(self) -> Container:
        """Start the service with its secrets by file, and wait until it has a model."""
        began = time.monotonic()
        # By bind mounts, as Compose and Kubernetes do it: podman 4.3 cannot make its own secrets on a read-only root.
        files = {self.folder / "secrets" / name: f"/run/secrets/{name}" for name in ("api_keys", "pseudonym_key")}
        for file in files:
            os.chown(file, 10001, 10001)
            file.chmod(0o400)
        environment = {"CHURN_TRACKING_URI": "http://mlflow:5000", "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment |= {f"CHURN_{file.name.upper()}_FILE": target for file, target in files.items()}
        service = self.run.start("service", self.service, volume="service", environment=environment, files=files)
        service.wait_until(lambda: get_status(f"http://{service.address}:8000/readyz") == 200, "ready")
        self.seconds["ready"] = time.monotonic() - began
        return service

    def client(self, service: Container) -> httpx2.Client:
        """Return a client with the operator's key."""
        url = f"http://{service.address}:8000"
        return httpx2.Client(base_url=url, headers={"X-API-Key": self.key}, timeout=120, trust_env=False)


def check_system(engine: Engine, say: Callable[[str], None]) -> None:
    """Run both images together once.

    Parameters
    ----------
    engine : Engine
    say : callable
        Is told each thing that was seen to work.

    Raises
    ------
    ChurnError
        At the first that does not, with the container's log.
    """
    with Run(engine) as run, tempfile.TemporaryDirectory(prefix="churn-images-") as folder:
        system = System(engine, run, Path(folder), say)
        _refuses_to_be_open(system)
        servers = system.start_servers()
        say("mlflow server and prefect server answer, from the pipelines image")
        _flows_register_a_model(system)
        prediction = _service_answers(system)
        _ends_cleanly(system, servers["mlflow"], "mlflow", "")
        _finds_its_state(system, prediction)
        _flows_run_and_end(system)


def _refuses_to_be_open(system: System) -> None:
    lonely = system.run.start("no-keys", system.service)
    code, said = lonely.wait(), lonely.log()
    _check(code == 2 and "CHURN_API_KEYS" in said, f"without keys the service did not refuse: {code}\n{said}")
    system.say("without API keys the service refuses to start: exit code 2")


def _flows_register_a_model(system: System) -> None:
    data = Path(os.environ.get("CHURN_TEST_DATA") or load_settings().data)
    files = {data.resolve(): f"{HOME}/data/telecom_churn.csv"} if data.is_file() else {}
    pull = system.start_flows("data", "data", "pull", files=files)
    _check(pull.wait() == 0, pull.log())
    began = time.monotonic()
    trained = system.start_flows("first-model", "train", "--if-none", "--trigger", "first model", files=files)
    _check(trained.wait() == 0, trained.log())
    what = "the real customers" if files else "invented customers (no data on this machine)"
    system.say(f"a flow trained on {what} and registered version 1 in {time.monotonic() - began:.0f} s")


def _service_answers(system: System) -> str:
    service = system.start_service()
    system.say(f"the service is ready {system.seconds['ready']:.1f} s after its start")
    status = service.status
    kept = {"Uid": "10001\t10001\t10001\t10001", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    _check(kept.items() <= status.items(), f"its process may do more than it should: { {name: status[name] for name in kept} }")
    code, said = service.run("sh", "-c", "echo x > /opt/churn/x || echo x > /etc/churn")
    _check(code != 0 and "Read-only file system" in said, f"its root can be written to: {said}")
    _check(int(status["VmRSS"].split()[0]) < MAX_SERVICE_KB, f"it holds {status['VmRSS']}")
    system.say(
        f"it runs as 10001, without capabilities, on a read-only root, in {int(status['VmRSS'].split()[0]) / 1024:.0f} MiB"
    )
    _check(service.is_healthy(), "the image's HEALTHCHECK fails")
    _check(service.run(*HEALTHY, environment={"CHURN_PORT": "1"})[0] == 1, "the HEALTHCHECK would not notice a dead service")
    _check(http.post(f"http://{service.address}:8000/predict", json=CUSTOMER).status_code == 401, "open")
    with system.client(service) as client:
        answer = client.post("/predict?reasons=3", json=CUSTOMER | {"customer_id": "anna"}).raise_for_status().json()
        _check(answer["model_version"] == "1" and len(answer["reasons"]) == 3, str(answer))
        _check(client.get("/model").json()["loaded_from"] == "registry", "the model came from elsewhere")
        _batches_agree(client, answer["churn_probability"])
    system.say(
        "it is healthy, answers 401 without a key, and with one /predict with reasons, and batches as JSON, CSV, Parquet, Arrow"
    )
    _ends_cleanly(system, service, "service", "Finished server process")
    system.run.remove(service)
    return str(answer["prediction_id"])


def _batches_agree(client: httpx2.Client, probability: float) -> None:
    """One customer in each format has the same probability."""
    rows = [CUSTOMER, CUSTOMER]
    table = pa.Table.from_pylist(rows)
    parquet, arrow = io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    with pa.ipc.new_stream(arrow, table.schema) as stream:
        stream.write_table(table)
    csv = "\n".join([",".join(CUSTOMER), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"
    said = client.post("/predict/batch", json={"customers": rows}).raise_for_status().json()
    found = {"json": [one["churn_probability"] for one in said["predictions"]]}
    for kind, body in (("text/csv", csv.encode()), ("application/vnd.apache.parquet", parquet.getvalue())):
        answer = client.post("/predict/batch", content=body, headers={"content-type": kind}).raise_for_status().content
        read = pq.read_table(io.BytesIO(answer)).to_pylist() if "parquet" in kind else _read_csv(answer)
        found[kind] = [float(one["churn_probability"]) for one in read]
    kind = "application/vnd.apache.arrow.stream"
    answer = client.post("/predict/batch", content=arrow.getvalue(), headers={"content-type": kind}).raise_for_status().content
    found[kind] = pa.ipc.open_stream(answer).read_all()["churn_probability"].to_pylist()
    for kind, values in found.items():
        _check(
            all(abs(value - probability) < 1e-9 for value in values) and len(values) == 2, f"{kind}: {values}, not {probability}"
        )


def _read_csv(body: bytes) -> list[dict[str, str]]:
    names, *rows = [line.split(",") for line in body.decode().splitlines()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _finds_its_state(system: System, prediction: str) -> None:
    """Start it a second time, without a registry."""
    service = system.start_service()
    with system.client(service) as client:
        told = client.get("/model").raise_for_status().json()
        _check((told["version"], told["loaded_from"]) == ("1", "disk"), f"not the last known good model: {told}")
        outcome = {"outcomes": [{"prediction_id": prediction, "churned": True}]}
        said = client.post("/outcomes", json=outcome).raise_for_status().json()
        _check(said["accepted"] == 1, f"the prediction of its first start is not in the log: {said}")
        client.post("/predict", json=CUSTOMER).raise_for_status()
    system.say(
        f"started again with MLflow away: ready in {system.seconds['ready']:.1f} s, last known good model, predictions in the log"
    )
    _ends_cleanly(system, service, "service", "Finished server process")


def _flows_run_and_end(system: System) -> None:
    flows = system.start_flows("flows")
    health = read_services()["flows"].health[-1]
    flows.wait_until(lambda: flows.answers(health), "its health")
    system.say("the flows' schedules are served, with the image's own command")
    _ends_cleanly(system, flows, "flows", "")


def _ends_cleanly(system: System, container: Container, name: str, said: str) -> None:
    # Prefect's runner answers a health check before its first poll with a traceback: only those from now on count.
    began, before = time.monotonic(), container.log().count("Traceback")
    code, log = container.stop(), container.log()
    clean = code == 0 and said in log and log.count("Traceback") == before
    _check(clean, f"{name} ended with {code} on SIGTERM:\n{log[-3000:]}")
    system.say(f"SIGTERM ends {name} with exit code 0 in {time.monotonic() - began:.1f} s")


def _check(kept: bool, otherwise: str) -> None:
    if not kept:
        raise ChurnError(otherwise)
