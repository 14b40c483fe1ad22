"""compose.yaml, brought up on this machine: databases, object store, registry, two replicas, the proxy; the model is made here.

A long form: what the file says is held by tests/unit/deploy/test_compose.py, and what runs by it also by `make stack`.
Prefect, the first model by its flow, Prometheus and the rest take longer to start: `make stack` brings up the whole of it.
"""

from __future__ import annotations

import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import httpx2
import psutil
import psycopg
import pytest

from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.contract import Contract
from churn.errors import ModelRefused
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from churn.registry.aliases import DIGEST_TAG
from churn.registry.registry import Registry
from churn.simulation.simulate import simulate
from service.model_loading.registry_source import LOADER_SECONDS
from tests.e2e.conftest import eventually
from tests.integration.test_flows import QUICK
from tools.loopback_http import http
from tools.postgres import NotHere
from tools.stack.callers import CUSTOMER, Callers, count_predictions
from tools.stack.stack import Stack

pytestmark = pytest.mark.long
REPLICAS = ("service-1", "service-2")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def stack(contract: Contract) -> Iterator[Stack]:
    # Not pytest's folder: PostgreSQL's user must get there.
    with (
        skip_where_programs_are_missing(),
        tempfile.TemporaryDirectory(prefix="churn-stack-") as folder,
        Stack(Path(folder), ["proxy", "mlflow"]) as made,
    ):
        made.bring_up()
        register_first_model(made, contract)
        for replica in REPLICAS:
            # They find it by themselves; while there was no registry they have come to look seldom.
            with client(made, replica) as asked:
                # Answered when the model is ready. A new process makes it so, and a busy machine is slow to import.
                assert asked.post("/admin/reload", timeout=2 * LOADER_SECONDS).json()["model_version"] == "1"
        eventually(lambda: status(made.url("proxy", "/readyz")) == 200, "the proxy has seen it")
        yield made


def register_first_model(stack: Stack, contract: Contract) -> None:
    (stack.root / "quick.yaml").write_text(QUICK)
    params = load_params(stack.root / "quick.yaml")
    trained = train(
        assemble(simulate(contract, 600, seed=1), None, contract, params), contract, params, name="churn", trigger="first model"
    )
    registry = Registry(load_settings(tracking_uri=stack.url("mlflow", ""), home=stack.root / "home"))
    with warnings.catch_warnings():
        # MLflow warns of type hints of its own functions when it is imported for the first time.
        warnings.simplefilter("ignore", UserWarning)
        registry.promote(registry.register(trained, {}, {}).info.version)


@contextmanager
def skip_where_programs_are_missing() -> Iterator[None]:
    try:
        yield
    except NotHere as missing:
        pytest.skip(str(missing))


def status(url: str) -> int:
    try:
        return http.get(url, timeout=10).status_code
    except httpx2.HTTPError:
        return 0


def client(stack: Stack, service: str = "proxy") -> httpx2.Client:
    return httpx2.Client(base_url=stack.url(service), headers={"X-API-Key": stack.key}, timeout=120, trust_env=False)


def rows(
    stack: Stack, query: LiteralString, *values: object, user: str = "churn", database: str = "churn"
) -> list[tuple[object, ...]]:
    secret = "store" if user == "churn" else user
    password = (stack.root / "secrets" / f"{secret}_password").read_text().strip()
    with psycopg.connect(host=stack.address["postgres"], dbname=database, user=user, password=password) as connection:
        return connection.execute(query, values).fetchall()


def test_a_model_went_through_mlflow_into_the_object_store_and_from_there_into_service(stack: Stack) -> None:
    assert list((stack.volume("minio") / "mlflow").rglob("model.skops"))
    for replica in REPLICAS:
        with client(stack, replica) as asked:
            told = asked.get("/model").json()
        assert (told["version"], told["trigger"]) == ("1", "first model")
    # Its hash was held against what was registered: a model that differs would have been refused.
    tags = rows(stack, "SELECT value FROM model_version_tags WHERE key = %s", DIGEST_TAG, user="mlflow", database="mlflow")
    assert len(tags) == 1


def test_a_model_that_was_changed_in_the_object_store_is_refused(stack: Stack, tmp_path: Path) -> None:
    registry = Registry(load_settings(tracking_uri=stack.url("mlflow", ""), home=tmp_path))
    assert registry.load("1").info.version == "1"
    (stored,) = (stack.volume("minio") / "mlflow").rglob("model.json")
    whole = stored.read_bytes()
    stored.write_bytes(whole.replace(b'"threshold":', b'"threshold" :'))
    try:
        with pytest.raises(ModelRefused, match="its hash differs"):
            Registry(load_settings(tracking_uri=stack.url("mlflow", ""), home=tmp_path / "other")).load("1")
    finally:
        stored.write_bytes(whole)


def test_what_ran_once_does_nothing_the_second_time(stack: Stack) -> None:
    stack.bring_up("bucket", "migrate")
    assert stack.log("bucket").count("bucket mlflow is there") == 2


def test_an_outcome_reaches_a_prediction_of_the_other_replica(stack: Stack) -> None:
    with client(stack, "service-1") as one, client(stack, "service-2") as other:
        first = one.post("/predict", json=CUSTOMER | {"customer_id": "anna"}).json()
        said = {"outcomes": [{"prediction_id": first["prediction_id"], "churned": True}]}
        assert other.post("/outcomes", json=said).json()["accepted"] == 1
        assert one.post("/outcomes", json={"outcomes": [{"customer_id": "anna", "churned": True}]}).json()["duplicates"] == 1
    # Both replicas have the pseudonym key from its file, and it is the same.
    ((stored,),) = rows(stack, "SELECT customer_id FROM predictions WHERE prediction_id = %s", first["prediction_id"])
    assert str(stored).startswith("p:")


def test_the_proxy_keeps_names_and_limits(stack: Stack) -> None:
    with client(stack) as asked:
        sent = {"X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = asked.post("/predict?reasons=1", json=CUSTOMER, headers=sent)
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, "mine-1")
        assert TRACE in answer.headers["traceparent"]
        assert len(asked.get("/healthz").headers["X-Request-ID"]) == 36
        hidden = asked.get("/metrics")
        assert (hidden.status_code, hidden.headers["content-type"]) == (404, "application/problem+json")
        assert hidden.json()["status"] == 404
        most = int(stack.services["service-1"].environment["CHURN_MAX_BODY_BYTES"])
        for path, length, code in (("/predict/batch", most + 1, 413), ("/predict/batch", most, 422)):
            content = b'{"customers":[' + b" " * (length - 16) + b"]}"
            assert asked.post(path, content=content, headers={"content-type": "application/json"}).status_code == code
    assert http.post(stack.url("proxy", "/predict"), json=CUSTOMER).status_code == 401


def test_no_request_fails_when_a_replica_dies_or_is_stopped(stack: Stack) -> None:
    with Callers(stack.url("proxy", "/predict"), stack.key, threads=4, pause=0.02) as callers:
        callers.wait_for(100)
        stack.kill("service-1", signal.SIGKILL)
        callers.wait_for(100)
        stack.bring_up("service-1")
        eventually(lambda: status(stack.url("service-1", "/readyz")) == 200, "it is ready again")
        eventually(lambda: count_predictions(http.get(stack.url("service-1", "/metrics")).text) > 20, "it answers again")
        stack.kill("service-2", signal.SIGTERM)
        callers.wait_for(100)
    assert callers.failed == []
    assert len(callers.answered) >= 300
    stored = {row[0] for row in rows(stack, "SELECT prediction_id FROM predictions")}
    assert set(callers.answered) <= stored
    assert len(set(callers.answered)) == len(callers.answered)


def test_an_administrators_order_is_not_done_twice(stack: Stack) -> None:
    with client(stack) as asked:
        assert asked.post("/admin/reload").status_code == 200


def test_each_account_reaches_its_own_database_only(stack: Stack) -> None:
    for user, database in (("churn", "mlflow"), ("mlflow", "churn"), ("prefect", "churn"), ("churn", "postgres")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            rows(stack, "SELECT 1", user=user, database=database)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(host=stack.address["postgres"], user="churn", dbname="churn", connect_timeout=5)


def test_secrets_are_in_no_command_line_and_in_the_environment_of_their_own_program_only(stack: Stack) -> None:
    values = {file.name: file.read_text().strip() for file in (stack.root / "secrets").iterdir()}
    for name, process in stack.processes.items():
        if stack.services[name].ends:
            continue
        told = {secret for secret, value in values.items() if value in environment_of(process.pid)}
        own = {"mlflow": {"mlflow_password", "s3_password"}, "prefect": {"prefect_password"}}
        assert told == own.get(name, set()), name
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        lines = [" ".join(member.cmdline()) for member in family]
        # `rclone` stands for MinIO, which reads a file.
        assert not [secret for secret, value in values.items() for line in lines if value in line and name != "minio"], name
        assert not [secret for secret, value in values.items() if value in stack.log(name)], name


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
