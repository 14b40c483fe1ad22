"""A real Prometheus and a real Alertmanager on our files, with the addresses of the test put in."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pipelines.local.ports import free_port
from tests.checkout import CHECKOUT
from tools.loopback_http import http

FOLDER = CHECKOUT / "monitoring/prometheus"
patiently = retry(
    retry=retry_if_exception_type((AssertionError, httpx2.HTTPError)),
    stop=stop_after_delay(90),
    wait=wait_fixed(0.3),
    reraise=True,
)


def needed(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"{names[0]} is not here: apt-get install prometheus prometheus-alertmanager")
    return found


@contextmanager
def program(*command: str, ready: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:

        @patiently
        def wait() -> None:
            assert http.get(ready).status_code == 200

        wait()
        yield
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def prometheus(folder: Path, targets: dict[str, str], alertmanager: str = "127.0.0.1:1") -> Iterator[str]:
    """Run Prometheus on our scrape configuration and rules; only addresses and the interval are the test's."""
    binary = needed("prometheus")
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [targets[job["job_name"]]]
        job["scrape_timeout"] = "1s"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = (
        *(binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"),
        *(f"--web.listen-address={url.removeprefix('http://')}", "--enable-feature=exemplar-storage", "--log.level=error"),
        # What is sent before Alertmanager is discovered is lost, and would come again a minute later.
        *("--rules.alert.resend-delay=1s",),
    )
    with program(*command, ready=f"{url}/-/ready"):
        yield url


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """Run Alertmanager on our configuration; only the webhooks' address and the waits are the test's."""
    binary = needed("prometheus-alertmanager", "alertmanager")
    text = (FOLDER / "alertmanager.yml").read_text().replace("http://127.0.0.1:9099", webhook)
    config = yaml.safe_load(text)
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = (
        *(binary, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}"),
        *(f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=", "--log.level=error"),
    )
    with program(*command, ready=f"{url}/-/ready"):
        yield url


@contextmanager
def webhook() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Receive what Alertmanager sends: (path, alert)."""
    received: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.extend((self.path, alert) for alert in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def query(url: str, expression: str) -> list[Any]:
    answer = http.get(f"{url}/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, f"{expression}: {answer.text}"
    return list(answer.json()["data"]["result"])
