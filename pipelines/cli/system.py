"""The commands that run parts of the system: `churn up`, `demo`, `serve`, `monitor`, `exporter` and `flows`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import console, print_json, warn
from pipelines.environment import prepare_environment, quiet_prefect, use_local_prefect

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def up() -> None:
    """Start everything on this machine, and stay until Ctrl-C.

    If there is no model yet, the first one is trained.

    Example: CHURN_HOME=/srv/churn churn up
    """
    from churn.config.settings import load_settings
    from pipelines.local.up import run

    run(load_settings())


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the table, the plot and the report.")] = Path("build/demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's state in place afterwards.")] = False,
    short: Annotated[bool, typer.Option("--short", help="Fewer windows; every step still happens.")] = False,
) -> None:
    """Close the loop once: train, serve, drift, retrain, promote.

    Exits 0 only if each step happened.

    Example: churn demo --out /tmp/churn-demo
    """
    from churn.config.settings import load_settings
    from pipelines.demo.demo import run

    run(load_settings(), out, keep=keep, short=short)


def serve(workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1) -> None:
    """Answer predictions over HTTP with the champion, and log each one.

    Example: CHURN_PORT=8080 churn serve --workers 2
    """
    from churn.config.settings import load_settings

    settings = load_settings()
    prepare_environment(settings)
    from service.server.run import run

    run(settings, workers)


def monitor(
    once: Annotated[bool, typer.Option("--once", help="Run once and stop; else every CHURN_MONITOR_INTERVAL_SECONDS.")] = False,
    as_json: Json = False,
) -> None:
    """Judge what is new: drift, performance, and what to do about it.

    Without --once it goes on, and serves the monitor's metrics.

    Example: churn monitor --once --json
    """
    import threading

    from churn.config.settings import load_settings

    settings = load_settings()
    prepare_environment(settings)
    quiet_prefect()
    use_local_prefect(settings)
    from monitoring.exporter.exporter import serve_exporter
    from pipelines.flows.monitor import monitor_once

    stop = threading.Event()
    if not once:
        threading.Thread(target=serve_exporter, args=(settings,), kwargs={"stop": stop}, daemon=True).start()
    while True:
        result = monitor_once(warn)
        if as_json:
            print_json(result)
        else:
            console.print(f"{result.get('action', 'waiting')}: {result['reason']}")
        if once or stop.wait(settings.monitor_interval_seconds):
            return


def exporter() -> None:
    """Serve the monitor's metrics for Prometheus (a part of `churn up`)."""
    from churn.config.settings import load_settings
    from monitoring.exporter.exporter import serve_exporter

    serve_exporter(load_settings(), stop=None)


def flows() -> None:
    """Run the flows by schedule, event and on demand (a part of `churn up`)."""
    from churn.config.settings import load_settings

    prepare_environment(load_settings())
    from pipelines.flows.deployments import main as serve_deployments

    serve_deployments()
