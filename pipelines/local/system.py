"""The programs of the whole system on one machine, and how they come up: `churn up` and `churn demo` run the same."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from churn.clock import now
from churn.config.settings import Settings
from churn.config.ui_links import evidently_project, mlflow_models, prefect_deployments
from churn.config.urls import shown
from churn.contract import load_contract
from churn.errors import ChurnError, InputError
from churn.file_lock import try_lock
from pipelines.backup.running import UP_LOCK
from pipelines.console import console, warn
from pipelines.deployment_names import MONITOR, TRAIN
from pipelines.environment import prefect_api, prepare_environment, quiet_prefect
from pipelines.local.ports import is_free
from pipelines.local.supervisor import Program, Supervisor
from service.server.healthcheck import is_alive


def addresses(settings: Settings) -> dict[str, str]:
    """Name the pages of the running system, for people: each opens where they look for something."""
    local = "http://127.0.0.1"
    mlflow = f"{local}:{settings.mlflow_port}" if _own_mlflow(settings) else shown(settings.tracking_uri)
    return {
        "API": f"{local}:{settings.port}",
        "API docs": f"{local}:{settings.port}/docs",
        "MLflow": mlflow_models(mlflow, settings.model_name),
        "Prefect": prefect_deployments(f"{local}:{settings.prefect_port}"),
        "Evidently": evidently_project(f"{local}:{settings.evidently_port}", settings.home / "evidently"),
        "Monitor metrics": f"{local}:{settings.exporter_port}/metrics",
    }


def _own_mlflow(settings: Settings) -> bool:
    return settings.tracking_uri.startswith("sqlite:")


# What only some of the programs need to know.
KEYS = ("CHURN_API_KEYS", "CHURN_API_KEY", "CHURN_PSEUDONYM_KEY")
SECRETS = (*KEYS, "CHURN_STORE_URL", "CHURN_STORE_PASSWORD")
# The order of starting: on few processors the first are ready first. The flows wait for Prefect; pages for people come last.
BY_NEED = ("service", "prefect", "flows", "mlflow", "exporter", "evidently")
# So many of these start while the data are read, and have the processors for themselves.
HEAD_START = 2
# What nothing else of the system asks: pages for people, and numbers for Prometheus.
TO_LOOK_AT = ("exporter", "evidently")
# What the training of the first model needs.
FOR_TRAINING = ("mlflow", "prefect")


def programs(settings: Settings) -> list[Program]:
    """List the programs. They are stopped in the reverse of this order: first the flows, then what these ask."""
    python, home, started = sys.executable, settings.home, now()
    churn = (python, "-m", "pipelines.cli.main")
    # A fifth of what a program of others costs to import is to look for cycles in it.
    seldom = (python, "-m", "churn.gc_tuning")
    local = "http://127.0.0.1"
    mlflow = Program(
        "mlflow",
        (
            *(python, "-m", "churn.registry.server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(settings.mlflow_port)),
            *("--backend-store-uri", settings.tracking_uri),
            *("--default-artifact-root", (home / "artifacts").as_uri(), "--no-serve-artifacts"),
        ),
        lambda: is_alive(f"{local}:{settings.mlflow_port}/health"),
        hidden=SECRETS,
    )
    prefect = Program(
        "prefect",
        (*seldom, "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(settings.prefect_port)),
        lambda: is_alive(f"{prefect_api(settings)}/health"),
        hidden=SECRETS,
    )
    evidently = Program(
        "evidently",
        (
            *(*seldom, "evidently.cli", "ui", "--workspace", str(home / "evidently")),
            *("--host", "127.0.0.1", "--port", str(settings.evidently_port)),
        ),
        lambda: is_alive(f"{local}:{settings.evidently_port}/"),
        hidden=SECRETS,
    )
    exporter = Program(
        "exporter", (*churn, "exporter"), lambda: is_alive(f"{local}:{settings.exporter_port}/metrics"), hidden=KEYS
    )
    service = Program("service", (*churn, "serve"), lambda: is_alive(f"{local}:{settings.port}/readyz"), hidden=KEYS[1:2])
    flows = Program("flows", (*churn, "flows"), lambda: _deployed(settings, started), hidden=KEYS[:2])
    return [*([mlflow] if _own_mlflow(settings) else []), prefect, evidently, exporter, service, flows]


def _deployed(settings: Settings, since: datetime) -> bool:
    """Return whether a runner has asked for runs of each deployment: what Prefect's database says may be the last runner's."""
    with closing(http.client.HTTPConnection("127.0.0.1", settings.prefect_port, timeout=5)) as connection:
        try:
            for name in (TRAIN, MONITOR):
                connection.request("GET", f"/api/deployments/name/{name}")
                answer = connection.getresponse()
                known = json.loads(answer.read())
                if answer.status != http.client.OK or known.get("status") != "READY":
                    return False
                if known["last_polled"] is None or datetime.fromisoformat(known["last_polled"]) < since:
                    return False
        except (OSError, ValueError, http.client.HTTPException):
            return False
    return True


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
def _alone(home: Path) -> Iterator[None]:
    """Refuse a second system in one home: two of each program would share its databases and logs, and run each flow twice."""
    with (home / UP_LOCK).open("ab+") as file:
        if not try_lock(file):
            file.seek(0)
            raise InputError(f"{home}: a churn runs here already (process {file.read(20).decode()}); stop it, or set CHURN_HOME")
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


@contextmanager
def running(settings: Settings, *, looked_at: bool = True) -> Iterator[Supervisor]:
    """Bring the whole system up for the time of a `with` block: data, servers, a first model, service, flows.

    Parameters
    ----------
    settings : Settings
    looked_at : bool
        Also start what is only looked at, `TO_LOOK_AT`.

    Yields
    ------
    Supervisor
    """
    check_ports(settings)
    prepare_environment(settings)
    with _alone(settings.home), _started(settings, looked_at) as supervisor:
        yield supervisor


@contextmanager
def _started(settings: Settings, looked_at: bool) -> Iterator[Supervisor]:
    os.environ.setdefault("PREFECT_API_URL", prefect_api(settings))
    os.environ["PREFECT_SERVER_API_HOST"] = "127.0.0.1"
    started = now()
    load_contract(settings.contract)
    # A local registry is a file, which can be read before MLflow is up.
    champion = find_champion(settings)
    all_programs = [program for program in programs(settings) if looked_at or program.name not in TO_LOOK_AT]
    names = [name for name in BY_NEED if name in {program.name for program in all_programs}]
    if _own_mlflow(settings):
        os.environ["CHURN_TRACKING_URI"] = f"http://127.0.0.1:{settings.mlflow_port}"
    with Supervisor(all_programs, settings.home) as supervisor:
        # None waits for another: each looks by itself for what it needs, and the service answers with the last known good model.
        first = names[:HEAD_START] if champion else [name for name in names if name in FOR_TRAINING]
        supervisor.launch(*first)
        _bring_data(settings)
        if champion:
            console.print(f"version {champion} is champion")
            supervisor.launch(*names[HEAD_START:])
        else:
            _train_first_model(supervisor, names)
        _wait(supervisor, names, started)
        yield supervisor


def _bring_data(settings: Settings) -> None:
    # Imported while the programs do the same.
    from churn.data.dataset import read_dataset
    from pipelines.data_sources.pull import pull_data

    contract = load_contract(settings.contract)
    source = pull_data(settings, contract)
    read_dataset(source.path, contract)  # a wrong file is reported now, and not by a flow later
    (warn if source.simulated else console.print)(source.how)


def _train_first_model(supervisor: Supervisor, names: list[str]) -> None:
    """Train and register the first model, as a flow that shows in Prefect's UI. The flows start afterwards: they need one."""
    quiet_prefect()
    with console.status("starting " + " and ".join(FOR_TRAINING)):
        # Imported while the servers do the same.
        from pipelines.flows.train import train_once

        supervisor.wait(*(name for name in names if name in FOR_TRAINING))
    supervisor.launch(*(name for name in names if name not in (*FOR_TRAINING, "flows")))
    with console.status("training the first model"):
        started = now()
        result = train_once("first model", wait=True, warn=warn)
    if not result["promoted"]:
        version, why = result["version"], result["reason"]
        raise ChurnError(
            f"the first model, version {version}, was not promoted: {why}; start again with more customers, or "
            f"after: churn model promote {version} --reason TEXT"
        )
    console.print(f"version {result['version']} trained in {_seconds(started)} s: {result['reason']}")
    supervisor.launch("flows")


def _wait(supervisor: Supervisor, names: list[str], started: datetime) -> None:
    """Wait for every program, and print each as soon as it is ready."""
    waiting = list(names)
    with console.status("starting " + ", ".join(waiting)) as status:

        def tell(name: str) -> None:
            waiting.remove(name)
            console.print(f"{name} is ready after {_seconds(started)} s", style="dim")
            status.update("starting " + ", ".join(waiting))

        supervisor.wait(*names, on_ready=tell)


def _seconds(started: datetime) -> str:
    return f"{(now() - started).total_seconds():.0f}"


def find_champion(settings: Settings) -> str | None:
    """Return the champion's version; None if there is none yet."""
    from churn.registry.aliases import CHAMPION
    from churn.registry.connect import registry_reader

    return registry_reader(settings).aliases().get(CHAMPION)


def log_folder(settings: Settings) -> Path:
    """Return the folder of the programs' logs."""
    return settings.home / "logs"
