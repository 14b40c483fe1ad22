"""The programs of the whole system on one machine, and how they come up: `churn up` and `churn demo` run the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from churn.clock import now
from churn.config.settings import Settings
from churn.config.urls import shown
from churn.contract import load_contract
from churn.data.dataset import read_dataset
from churn.errors import InputError
from pipelines.console import console, warn
from pipelines.data_sources.pull import pull_data
from pipelines.environment import prefect_api, prepare_environment, quiet_prefect
from pipelines.local.supervisor import Program, Supervisor, is_free
from service.server.healthcheck import is_alive


def addresses(settings: Settings) -> dict[str, str]:
    """Name the pages of the running system, for people."""
    local = "http://127.0.0.1"
    return {
        "API": f"{local}:{settings.port}",
        "API docs": f"{local}:{settings.port}/docs",
        "MLflow": f"{local}:{settings.mlflow_port}" if _own_mlflow(settings) else shown(settings.tracking_uri),
        "Prefect": f"{local}:{settings.prefect_port}",
        "Evidently": f"{local}:{settings.evidently_port}",
        "Monitor metrics": f"{local}:{settings.exporter_port}/metrics",
    }


def _own_mlflow(settings: Settings) -> bool:
    return settings.tracking_uri.startswith("sqlite:")


# What only some of the programs need to know.
KEYS = ("CHURN_API_KEYS", "CHURN_API_KEY", "CHURN_PSEUDONYM_KEY")
SECRETS = (*KEYS, "CHURN_STORE_URL", "CHURN_STORE_PASSWORD")


def programs(settings: Settings) -> list[Program]:
    """List the programs, in the order of starting."""
    python, home = sys.executable, settings.home
    churn = (python, "-m", "pipelines.cli.main")
    local = "http://127.0.0.1"
    mlflow = Program(
        "mlflow",
        (
            *(python, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(settings.mlflow_port)),
            *("--backend-store-uri", settings.tracking_uri),
            *("--default-artifact-root", (home / "artifacts").as_uri(), "--no-serve-artifacts"),
        ),
        lambda: is_alive(f"{local}:{settings.mlflow_port}/health"),
        hidden=SECRETS,
    )
    prefect = Program(
        "prefect",
        (python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(settings.prefect_port)),
        lambda: is_alive(f"{prefect_api(settings)}/health"),
        hidden=SECRETS,
    )
    evidently = Program(
        "evidently",
        (
            *(str(Path(python).with_name("evidently")), "ui", "--workspace", str(home / "evidently")),
            *("--host", "127.0.0.1", "--port", str(settings.evidently_port)),
        ),
        lambda: is_alive(f"{local}:{settings.evidently_port}/"),
        hidden=SECRETS,
    )
    exporter = Program(
        "exporter", (*churn, "exporter"), lambda: is_alive(f"{local}:{settings.exporter_port}/metrics"), hidden=KEYS
    )
    service = Program("service", (*churn, "serve"), lambda: is_alive(f"{local}:{settings.port}/readyz"), hidden=KEYS[1:2])
    flows = Program("flows", (*churn, "flows"), lambda: _deployed(settings), hidden=KEYS[:2])
    return [*([mlflow] if _own_mlflow(settings) else []), prefect, evidently, exporter, service, flows]


def _deployed(settings: Settings) -> bool:
    with suppress(httpx2.HTTPError):
        for name in ("train/retrain", "monitor/run"):
            answer = httpx2.get(f"{prefect_api(settings)}/deployments/name/{name}", timeout=5, trust_env=False)
            if answer.status_code != 200 or answer.json().get("status") != "READY":
                return False
        return True
    return False


def check_ports(settings: Settings) -> None:
    """Raise InputError, which names every taken port and the setting to change, if a port is taken."""
    wanted = {
        name: getattr(settings, name) for name in ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")
    }
    if not _own_mlflow(settings):
        del wanted["mlflow_port"]
    taken = [f"{port} (CHURN_{name.upper()})" for name, port in wanted.items() if not is_free(port)]
    if taken:
        raise InputError(f"in use by another program, or by a churn that already runs: port {', '.join(taken)}")
    repeated = [str(port) for port in wanted.values() if list(wanted.values()).count(port) > 1]
    if repeated:
        raise InputError(f"one port for two programs: {', '.join(sorted(set(repeated)))}")


@contextmanager
def running(settings: Settings) -> Iterator[Supervisor]:
    """Bring the whole system up for the time of a `with` block: data, servers, a first model, service, flows."""
    check_ports(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    prepare_environment(settings)
    os.environ.setdefault("PREFECT_API_URL", prefect_api(settings))
    os.environ["PREFECT_SERVER_API_HOST"] = "127.0.0.1"
    contract = load_contract(settings.contract)
    source = pull_data(settings, contract)
    read_dataset(source.path, contract)  # a wrong file is reported now, and not by a flow later
    (warn if source.simulated else console.print)(source.how)
    all_programs = programs(settings)
    if _own_mlflow(settings):
        os.environ["CHURN_TRACKING_URI"] = f"http://127.0.0.1:{settings.mlflow_port}"
    with Supervisor(all_programs, settings.home) as supervisor:
        names = [program.name for program in all_programs]
        servers, rest = names[:-2], names[-2:]
        with console.status("starting " + ", ".join(servers)):
            supervisor.start(*servers)
        quiet_prefect()
        _clean_up_orphans()
        train_first_model()
        with console.status("starting " + ", ".join(rest)):
            supervisor.start(*rest)
        yield supervisor


def _clean_up_orphans() -> None:
    from pipelines.flows.orphaned_runs import crash_orphans

    if orphans := crash_orphans():
        warn(f"{orphans} flow run{'s' if orphans > 1 else ''} ended with the last system and did not finish")


def find_champion(settings: Settings) -> str | None:
    """Return the champion's version; None if there is none yet."""
    from churn.registry.aliases import CHAMPION
    from churn.registry.connect import registry_reader

    return registry_reader(settings).aliases().get(CHAMPION)


def train_first_model() -> None:
    """Train and register a model if there is no champion yet. The servers run by now; the flow shows in Prefect's UI."""
    from churn.config.settings import load_settings

    if version := find_champion(load_settings()):
        console.print(f"version {version} is champion")
        return
    with console.status("training the first model"):
        from pipelines.flows.train import train_once

        started = now()
        result = train_once("first model", wait=True)
    console.print(f"version {result['version']} trained in {(now() - started).total_seconds():.0f} s: {result['reason']}")


def log_folder(settings: Settings) -> Path:
    """Return the folder of the programs' logs."""
    return settings.home / "logs"
