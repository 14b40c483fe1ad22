"""Secrets are told to nobody: a real service with keys and passwords, and commands that fail, are searched for them.

What they could be found in: logs, answers, what `ps` shows, the environment of children, the run and tags in MLflow.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from churn.config.settings import load_settings
from churn.config.urls import shown
from churn.errors import InputError
from pipelines.local.ports import free_port
from tests.forked import churn
from tests.integration.test_service_process import put_last_known_good, wait_until
from tests.unit.service.fakes import CUSTOMER, make_settings
from tools.loopback_http import http

KEY, PSEUDONYM = "the-key-of-the-shop", "the-pseudonym-key-of-us"
STORE, REGISTRY = "pa55-of-the-store", "pa55-of-the-registry"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()
SECRETS = (KEY, PSEUDONYM, STORE, REGISTRY, DIGEST)
CHURN = (sys.executable, "-m", "pipelines.cli.main")


def environment(home: Path) -> dict[str, str]:
    """Nobody answers at any of these addresses."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "MLFLOW_", "PREFECT_"))}
    return {
        **clean,
        "CHURN_HOME": str(home),
        "CHURN_PORT": str(free_port()),
        "CHURN_API_KEYS": f"shop:predict+admin:{DIGEST}",
        "CHURN_API_KEY": KEY,
        "CHURN_PSEUDONYM_KEY": PSEUDONYM,
        "CHURN_STORE_URL": f"postgresql://churn:{STORE}@127.0.0.1:{free_port()}/churn?password={STORE}",
        "CHURN_TRACKING_URI": f"http://churn:{REGISTRY}@127.0.0.1:{free_port()}",
        "CHURN_LOG_LEVEL": "debug",
        "CHURN_ACCESS_LOG": "all",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def holds_none(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_service_with_keys_and_passwords_tells_none_of_them(tmp_path: Path) -> None:
    env, log = environment(tmp_path), tmp_path / "log"
    put_last_known_good(make_settings(tmp_path))
    with log.open("wb") as out:
        process = subprocess.Popen([*CHURN, "serve"], env=env, stdout=out, stderr=subprocess.STDOUT)
    seen: dict[int, tuple[str, dict[str, str]]] = {}

    def ready() -> bool:
        for child in psutil.Process(process.pid).children(recursive=True):
            if child.pid not in seen and "service.model_loading.loader_process" in " ".join(child.cmdline()):
                seen[child.pid] = " ".join(child.cmdline()), child.environ()
        return http.get(f"http://127.0.0.1:{env['CHURN_PORT']}/readyz").status_code == 200

    try:
        wait_until(ready, process)
        with httpx2.Client(base_url=f"http://127.0.0.1:{env['CHURN_PORT']}", timeout=60) as client:
            key = {"X-API-Key": KEY}
            answers = [
                client.post("/predict", json={**CUSTOMER, "customer_id": "jane"}, headers=key),
                client.post("/predict", json={**CUSTOMER, "state": KEY}, headers=key),
                client.post("/outcomes", json={"outcomes": []}, headers=key),
                client.post("/admin/reload", headers=key),
                client.get("/admin/failures", headers=key),
                *(client.get(path, headers=key) for path in ("/", "/model", "/metrics", "/docs", "/openapi.json", "/nowhere")),
                client.get("/model", headers={"X-API-Key": f"{KEY}x", "Authorization": f"Bearer {KEY}"}),
            ]
        assert [answer.status_code for answer in answers] == [200, 422, 403, 503, 200, 200, 200, 200, 200, 200, 404, 401]
        holds_none(" ".join(psutil.Process(process.pid).cmdline()))
        status = run(env, "status")
        assert status.returncode == 1
    finally:
        process.terminate()
        process.wait(120)
    for answer in answers:
        holds_none(answer.text + str(answer.headers))
    holds_none(log.read_text())
    assert "starting without the store" in log.read_text()
    assert seen, "the loader was not seen at work"
    for command, known in seen.values():
        holds_none(command)
        assert not {"CHURN_API_KEYS", "CHURN_API_KEY", "CHURN_PSEUDONYM_KEY"} & set(known)
    holds_none(status.stdout + status.stderr)
    # With a pseudonym key, no plain id is anywhere on disk either.
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"jane" not in kept
    holds_none(kept.decode("latin-1"))


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return churn(*arguments, environment=env)


def test_a_command_that_fails_tells_no_password(tmp_path: Path) -> None:
    failed = run(environment(tmp_path), "model", "list")
    assert failed.returncode == 1
    assert failed.stderr.startswith("churn: the registry at http://127.0.0.1:")
    holds_none(failed.stdout + failed.stderr)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store_url", f"oracle://churn:{STORE}@db/churn"),
        ("store_url", f"mysql://db/churn?password={STORE}&x=1"),
        ("tracking_uri", f"ftp://churn:{REGISTRY}@mlflow"),
        ("data_url", f"ftp://x:{STORE}@example/telecom.csv"),
        ("pseudonym_key", "too-short"),
        ("api_keys", KEY),
    ],
)
def test_a_setting_that_is_refused_shows_no_secret(name: str, value: str) -> None:
    from service.api_keys import parse_keys

    with pytest.raises(InputError) as caught:
        parse_keys(load_settings(**{name: value}).api_keys.get_secret_value())
    chain: Any = caught.value
    said = []
    while chain is not None:
        said.append(str(chain))
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    holds_none("\n".join(said))
    assert "too-short" not in "\n".join(said)


def test_settings_show_no_secret_when_they_are_printed() -> None:
    settings = load_settings(
        store_url=f"postgresql://u:{STORE}@db/churn", tracking_uri=f"http://u:{REGISTRY}@m", api_keys=KEY, pseudonym_key=PSEUDONYM
    )
    holds_none(repr(settings) + str(settings))


def test_passwords_are_hidden_wherever_an_address_holds_them() -> None:
    for address in (
        f"postgresql+psycopg://u:{STORE}@db:5432/churn",
        f"postgresql://u:{STORE}%40x@db/churn",
        f"postgresql://db/churn?user=u&password={STORE}",
        f"postgresql://db/churn?sslpassword={STORE}&sslmode=require",
        f"http://u:{STORE}@mlflow/path?access_token={STORE}",
        f"s3://AKIA:{STORE}@bucket/key",
    ):
        holds_none(shown(address))
        assert shown(address).startswith(address.split("://", maxsplit=1)[0])
    assert shown("https://mlflow.example:5000/a?x=1") == "https://mlflow.example:5000/a?x=1"
