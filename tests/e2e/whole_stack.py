"""`make stack`: all of compose.yaml that runs without an engine, the loop once through it, and what each part takes.

A minute or two on a machine that does nothing else; tests/e2e/test_compose.py is the part of it that CI runs.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path

import httpx2
import psutil

from churn.config.settings import load_settings
from tests.e2e.conftest import eventually
from tests.e2e.stack import NOT_HERE, Stack
from tests.e2e.stack_load import Callers
from tests.integration.operators import query
from tests.unit.deploy.composition import PORTS


def main() -> int:
    """Bring it up, use it, say what was seen; 0 if every step happened."""
    with tempfile.TemporaryDirectory(prefix="churn-stack-") as folder, Stack(Path(folder)) as stack:
        _give_data(stack)
        stack.bring_up()
        for name, seconds in sorted(stack.seconds.items(), key=lambda item: item[1]):
            _say(f"{seconds:6.1f} s  {name} is {'done' if stack.services[name].ends else 'healthy'}")
        proxy = stack.url("proxy", "/readyz")
        eventually(lambda: httpx2.get(proxy, trust_env=False).status_code == 200, "the first model serves")
        # As `docker compose up` would: what runs once runs again, and finds nothing to do.
        stack.bring_up("bucket", "migrate", "data", "first-model")
        assert "version 1 is champion; nothing to do" in stack.log("first-model")
        _traffic(stack)
        _kills(stack)
        _watching(stack)
        _memory(stack)
        status = stack.run("flows", "churn", "status", CHURN_API_KEY=stack.key)
        _say(status.stdout + status.stderr)
        _say(f"left out: {', '.join(sorted(NOT_HERE))}")
        return status.returncode


def _say(text: str) -> None:
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
    assert done.returncode == 0, done.stdout + done.stderr
    _say(done.stdout.strip())


def _kills(stack: Stack) -> None:
    with Callers(stack.url("proxy", "/predict"), stack.key) as callers:
        callers.wait_for(200)
        for name, number in (("service-1", signal.SIGKILL), ("service-2", signal.SIGTERM)):
            stack.kill(name, number)
            callers.wait_for(200)
            stack.bring_up(name)
            ready = stack.url(name, "/readyz")
            eventually(lambda ready=ready: httpx2.get(ready, trust_env=False).status_code == 200, f"{name} is back")  # type: ignore[misc]
            callers.wait_for(200)
    assert not callers.failed, callers.failed
    _say(f"one replica killed, one stopped, under load: {len(callers.answered)} requests answered, 0 failed")


def _watching(stack: Stack) -> None:
    run = stack.run("flows", "churn", "monitor", "--once", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    _say(f"monitor: {run.stdout.strip()}")
    prometheus = stack.url("prometheus", "").rstrip("/")
    wanted = {f"{stack.address[name]}:{PORTS[name]}" for name in ("service-1", "service-2", "exporter")}
    eventually(lambda: {r["metric"]["instance"] for r in query(prometheus, "up == 1")} == wanted, "Prometheus scrapes all")
    managers = httpx2.get(f"{prometheus}/api/v1/alertmanagers", trust_env=False).json()["data"]["activeAlertmanagers"]
    assert len(managers) == 1
    _say("Prometheus: both replicas and the exporter are up, one Alertmanager is known")


def _memory(stack: Stack) -> None:
    for name, process in stack.processes.items():
        if process.poll() is None:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            held = sum(member.memory_full_info().pss for member in family) / 2**20
            _say(f"{held:6.0f} MiB  {name} of {stack.services[name].said['mem_limit']}")


if __name__ == "__main__":
    sys.exit(main())
