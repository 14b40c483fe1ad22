"""compose.yaml in real containers, used once from end to end: `make stack`.

Exit code 0 if every step happened, 1 if one did not, 3 if this machine has no podman (the reason is printed).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from churn.config.settings import Settings, load_settings
from churn.contract import load_contract
from churn.data.dataset import read_dataset
from churn.errors import ChurnError
from pipelines.data_sources.pull import pull_data
from pipelines.demo.customers import deal_out, population, shorten
from tools.containers.command import run_command
from tools.containers.confinement import check_confinement
from tools.containers.debian_images import require_images
from tools.containers.engine import Engine
from tools.containers.loop import close_the_loop, first_customers
from tools.containers.quick_params import QUICK
from tools.containers.replicas import lose_replicas
from tools.containers.stack import ContainerStack
from tools.loopback_http import http
from tools.stack.compose_file import PORTS

TIMEOUT_SECONDS = 600


def main() -> int:
    """Bring it up, use it, take it down, and say what was seen and when."""
    return run_command("stack", _run)


def _run(engine: Engine, say: Callable[[str], None]) -> None:
    require_images(engine)
    say("images are there")
    with tempfile.TemporaryDirectory(prefix="churn-stack-") as folder, ContainerStack(engine, Path(folder)) as stack:
        _use(stack, Path(folder), load_settings(), say)


def _use(stack: ContainerStack, folder: Path, settings: Settings, say: Callable[[str], None]) -> None:
    contract = load_contract(settings.contract)
    source = pull_data(settings, contract)
    real = None if source.simulated else read_dataset(source.path, contract)
    people = shorten(deal_out(population(contract, real, settings.seed), settings.seed))
    say(f"{'real' if real else 'invented'} customers; left out: {', '.join(sorted(stack.left_out))}")
    stack.make()
    files = {"data/customers.csv": first_customers(people, contract, folder), "data/quick.yaml": QUICK.encode()}
    stack.fill_volume("flows", files)
    stack.bring_up()
    for name, seconds in sorted(stack.seconds.items(), key=lambda item: item[1]):
        say(f"{seconds:5.1f} s after the first start  {name} is {'done' if stack.services[name].ends else 'healthy'}")
    _await(lambda: http.get(stack.url("proxy", "/readyz")).status_code == 200, "the first model serves")
    say(f"{check_confinement(stack)} containers run as compose.yaml says: users, rights, networks, limits, secrets")
    lose_replicas(stack, say)
    close_the_loop(stack, people, contract, say)
    wanted = {f"{name}:{PORTS[name]}" for name in ("service-1", "service-2", "exporter")}
    _await(lambda: {series["metric"]["instance"] for series in _query(stack, "up == 1")} == wanted, "Prometheus scrapes all")
    managers = http.get(stack.url("prometheus", "/api/v1/alertmanagers")).json()["data"]["activeAlertmanagers"]
    if len(managers) != 1:
        raise ChurnError(f"Prometheus knows {len(managers)} Alertmanagers")
    say("Prometheus: both replicas and the exporter are up, one Alertmanager is known")
    say(stack.run("flows", "churn", "status", CHURN_API_KEY=stack.key).strip())


def _query(stack: ContainerStack, expression: str) -> list[dict[str, Any]]:
    answer = http.get(stack.url("prometheus", "/api/v1/query"), params={"query": expression})
    return list(answer.raise_for_status().json()["data"]["result"])


def _await(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise ChurnError(f"it did not happen within {TIMEOUT_SECONDS} s: {what}")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
