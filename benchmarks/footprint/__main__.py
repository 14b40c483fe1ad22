"""The figures behind k8s' resource requests: the real programs, as `churn up` runs them, each scenario in turn.

    python -m benchmarks.footprint [--seconds N]

The store is an empty SQLite file: what PostgreSQL's client takes instead is within the noise. Everything is removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

import httpx2
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.footprint.watch import Footprint, watching
from benchmarks.serving.load import Load, press
from churn.config.settings import Settings, load_settings
from churn.contract import Contract, load_contract
from churn.errors import ChurnError
from churn.registry.registry import Registry
from pipelines.local.ports import free_port
from pipelines.local.system import running
from pipelines.service_client import Client, as_customers, simulate_scenario

PORTS = ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")
COMMANDS = {"service": "serve", "flows": "flows", "exporter": "exporter"}
BATCH_ROWS = 10_000
WAIT_SECONDS = 300.0


def main() -> None:
    """Start the system, play the scenarios, print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each scenario that has no end of its own (default 10)")
    seconds = parser.parse_args().seconds
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="churn-footprint-") as home:
        # A monitoring run comes when the runner is asked for one, and not by its schedule in the middle of another scenario.
        told = {"HOME": home, "MONITOR_INTERVAL_SECONDS": 86_400, **{name.upper(): free_port() for name in PORTS}}
        os.environ.update({f"CHURN_{name}": str(value) for name, value in told.items()})
        settings = load_settings()
        with running(settings):
            played = play(load_settings(), seconds, console)
    table = Table("scenario", "program", "peak RSS, MiB", "CPU, s", "in s", "requests", "CPU a request, ms")
    for scenario, (found, load) in played.items():
        for name, used in found.items():
            asked = (f"{load.requests:,}", f"{1000 * used.cpu_seconds / load.requests:.2f}") if load else ()
            table.add_row(scenario, name, f"{used.rss:.0f}", f"{used.cpu_seconds:.1f}", f"{used.seconds:.0f}", *asked)
    console.print(table)


Played = dict[str, tuple[dict[str, Footprint], Load | None]]


def play(settings: Settings, seconds: float, console: Console) -> Played:
    """Watch every program in every scenario that concerns it."""
    contract = load_contract(settings.contract)
    population = simulate_scenario(contract, "calm", BATCH_ROWS, seed=5)
    customers = as_customers(population, contract, "c")
    one, many = orjson.dumps(customers[0]), orjson.dumps({"customers": customers})
    # Just below CHURN_MAX_BODY_BYTES.
    most = orjson.dumps({"customers": customers * (settings.max_body_bytes // len(many))})
    prefect = os.environ["PREFECT_API_URL"]
    scenarios: dict[str, tuple[tuple[str, ...], Callable[[], Load | None]]] = {
        "at rest": (("service", "flows", "exporter"), lambda: time.sleep(seconds)),
        "single customers, 32 connections": (("service",), lambda: _press(settings, "/predict", one, 32, seconds)),
        f"batches of {BATCH_ROWS:,} rows, JSON": (("service",), lambda: _press(settings, "/predict/batch", many, 2, seconds)),
        "batches as large as they may be": (("service",), lambda: _press(settings, "/predict/batch", most, 2, seconds)),
        "a monitoring run": (("flows",), lambda: _run(prefect, "monitor/run")),
        "scraped while runs are read": (("exporter",), lambda: _scrape(settings, seconds)),
        "a training": (("flows",), lambda: _run(prefect, "train/retrain")),
        "a model takes over, under load": (("service",), lambda: _promote_other(settings, contract, one, seconds)),
        "at rest afterwards": (("service", "flows", "exporter"), lambda: time.sleep(seconds)),
    }
    played: Played = {}
    for scenario, (names, act) in scenarios.items():
        console.print(f"[dim]{scenario}[/dim]")
        found: dict[str, Footprint] = {}
        pids = _pids()
        with watching({name: pids[name] for name in names}, found):
            load = act()
        played[scenario] = found, load
    return played


def _pids() -> dict[str, int]:
    """Find the programs among our descendants."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        words = process.cmdline()
        for name, command in COMMANDS.items():
            if words[1:] == ["-m", "pipelines.cli.main", command]:
                found[name] = process.pid
    return found


def _press(settings: Settings, path: str, body: bytes, connections: int, seconds: float) -> Load:
    return press(settings.port, path, body, connections=connections, seconds=seconds)


def _scrape(settings: Settings, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        httpx2.get(f"http://127.0.0.1:{settings.exporter_port}/metrics", timeout=10, trust_env=False).raise_for_status()
        time.sleep(1)


def _run(prefect: str, deployment: str) -> None:
    """Have the runner run a flow, and wait for its end."""
    with httpx2.Client(base_url=prefect, timeout=30, trust_env=False) as client:
        known = client.get(f"/deployments/name/{deployment}").raise_for_status().json()
        asked = client.post(f"/deployments/{known['id']}/create_flow_run", json={"state": {"type": "SCHEDULED"}})
        run = asked.raise_for_status().json()["id"]
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            state = client.get(f"/flow_runs/{run}").raise_for_status().json()["state"]["type"]
            if state == "COMPLETED":
                return
            if state in ("FAILED", "CRASHED", "CANCELLED"):
                raise ChurnError(f"{deployment} ended {state.lower()}")
            time.sleep(0.5)
    raise ChurnError(f"{deployment} took longer than {WAIT_SECONDS:.0f} s")


def _promote_other(settings: Settings, contract: Contract, body: bytes, seconds: float) -> None:
    """Promote another version, and ask all the while."""
    registry = Registry(settings)
    other = next(version for version, aliases, _ in registry.versions() if "champion" not in aliases)
    address = f"http://127.0.0.1:{settings.port}"
    with Client(address, contract) as client:
        registry.promote(other)
        end = time.monotonic() + WAIT_SECONDS
        while client.get("/model")["version"] != other:
            if time.monotonic() > end:
                raise ChurnError(f"version {other} did not take over")
            press(settings.port, "/predict", body, connections=32, seconds=1)
    time.sleep(seconds / 5)


if __name__ == "__main__":
    main()
