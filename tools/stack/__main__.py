"""Run all of compose.yaml that needs no engine, use it once, and print what each part takes: `make stack`.

It takes a minute or two on an idle machine. tests/e2e/test_compose.py is the part of it that CI runs.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from churn.config.settings import load_settings
from churn.errors import ChurnError
from tools.loopback_http import http
from tools.stack.callers import Callers, count_predictions
from tools.stack.compose_file import PORTS
from tools.stack.stack import NOT_HERE, Stack

TIMEOUT_SECONDS = 240


def main() -> int:
    """Bring the stack up, use it, and print what was seen; 0 if every step happened."""
    with tempfile.TemporaryDirectory(prefix="churn-stack-") as folder, Stack(Path(folder)) as stack:
        _give_data(stack)
        stack.bring_up()
        for name, seconds in sorted(stack.seconds.items(), key=lambda item: item[1]):
            _print(f"{seconds:6.1f} s  {name} is {'done' if stack.services[name].ends else 'healthy'}")
        proxy = stack.url("proxy", "/readyz")
        _wait_until(lambda: http.get(proxy).status_code == 200, "the first model serves")
        # As `docker compose up` would: what runs once runs again, and finds nothing to do.
        stack.bring_up("bucket", "migrate", "data", "first-model")
        _check("version 1 is champion; nothing to do" in stack.log("first-model"), stack.log("first-model"))
        _traffic(stack)
        _kills(stack)
        _watching(stack)
        _memory(stack)
        status = stack.run("flows", "churn", "status", CHURN_API_KEY=stack.key)
        _print(status.stdout + status.stderr)
        _print(f"left out: {', '.join(sorted(NOT_HERE))}")
        return status.returncode


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _give_data(stack: Stack) -> None:
    found = load_settings().data
    (stack.volume("flows") / "data").mkdir()
    if found.is_file():
        shutil.copy(found, stack.volume("flows") / "data" / "telecom_churn.csv")
    else:
        stack.more["data"] = {"CHURN_DATA_URL": ""}


def _traffic(stack: Stack) -> None:
    done = stack.run("flows", "churn", "traffic", "--customers", "300", CHURN_API_KEY=stack.key)
    _check(done.returncode == 0, done.stdout + done.stderr)
    _print(done.stdout.strip())


def _kills(stack: Stack) -> None:
    with Callers(stack.url("proxy", "/predict"), stack.key) as callers:
        callers.wait_for(200)
        for name, number in (("service-1", signal.SIGKILL), ("service-2", signal.SIGTERM)):
            stack.kill(name, number)
            callers.wait_for(200)
            stack.bring_up(name)
            _wait_until(partial(_answers, stack.url(name, "/metrics")), f"{name} answers again")
    _check(not callers.failed, "\n".join(callers.failed))
    _print(f"one replica killed, one stopped, under load: {len(callers.answered)} requests answered, 0 failed")


def _answers(metrics: str) -> bool:
    return count_predictions(http.get(metrics).text) > 0


def _watching(stack: Stack) -> None:
    done = stack.run("flows", "churn", "monitor", "--once", "--json")
    _check(done.returncode == 0, done.stdout + done.stderr)
    _print(f"monitor: {done.stdout.strip()}")
    prometheus = stack.url("prometheus", "").rstrip("/")
    wanted = {f"{stack.address[name]}:{PORTS[name]}" for name in ("service-1", "service-2", "exporter")}
    _wait_until(
        lambda: {series["metric"]["instance"] for series in _query(prometheus, "up == 1")} == wanted, "Prometheus scrapes all"
    )
    managers = http.get(f"{prometheus}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    _check(len(managers) == 1, f"Prometheus knows {len(managers)} Alertmanagers")
    _print("Prometheus: both replicas and the exporter are up, one Alertmanager is known")


def _memory(stack: Stack) -> None:
    for name, process in stack.processes.items():
        if process.poll() is None:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            held = sum(member.memory_full_info().pss for member in family) / 2**20
            _print(f"{held:6.0f} MiB  {name} of {stack.services[name].entry['mem_limit']}")


def _query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    answer = http.get(f"{prometheus}/api/v1/query", params={"query": expression})
    return list(answer.raise_for_status().json()["data"]["result"])


def _check(happened: bool, otherwise: str) -> None:
    if not happened:
        raise ChurnError(otherwise)


def _wait_until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not happened():
        _check(time.monotonic() < deadline, f"it did not happen within {TIMEOUT_SECONDS} s: {what}")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
