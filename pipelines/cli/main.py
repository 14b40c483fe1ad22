"""The `churn` command. Each command is a few lines that call the core; heavy libraries are imported where they are needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from churn.errors import ChurnError
from pipelines.cli import backup, drift, model, score, status, store
from pipelines.cli import data as data_commands
from pipelines.console import console, fail, print_json, warn
from pipelines.environment import prepare_environment, quiet_prefect, use_local_prefect

app = typer.Typer(
    name="churn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="MLOps service for telecom churn.",
)
app.add_typer(data_commands.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(store.app, name="store")
app.command()(model.evaluate)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(drift.drift)
app.command()(score.score)
app.command()(status.status)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def train(
    data: Annotated[Path | None, typer.Option(help="File of labelled customers; default CHURN_DATA.")] = None,
    trigger: Annotated[str, typer.Option(help="Why, for the record.")] = "manual",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a training that is under way; else say whose it is, and stop.")
    ] = False,
    if_none: Annotated[bool, typer.Option("--if-none", help="Only if there is no champion yet.")] = False,
    as_json: Json = False,
) -> None:
    """Train a challenger and let the gate decide. One at a time trains, on all hosts of one store.

    Example: churn train --data customers.csv --trigger "new price list"
    """
    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.data.dataset import read_dataset
    from pipelines.data_sources import find_data
    from pipelines.local.system import find_champion
    from pipelines.training_turn import check_no_training

    settings = load_settings(data=data) if data else load_settings()
    prepare_environment(settings)
    if if_none and (version := find_champion(settings)):
        if as_json:
            print_json({"version": version, "promoted": False, "reason": "there is a champion already"})
        else:
            console.print(f"version {version} is champion; nothing to do")
        return
    contract = load_contract(settings.contract)
    # Bad data is said at once, before anything starts.
    data_commands.warn_uninformative(read_dataset(find_data(settings).path, contract))
    if not wait:
        check_no_training(settings.store_url)
    quiet_prefect()
    use_local_prefect(settings)
    with console.status("tuning, fitting and judging a challenger"):
        from pipelines.flows.train import train_once

        result = train_once(trigger, data=data, wait=wait)
    for found in result["cleared"]:
        warn(found)
    if as_json:
        print_json(result)
    else:
        word = "[green]promoted[/green]" if result["promoted"] else "[yellow]not promoted[/yellow]"
        console.print(f"version {result['version']} {word}: {result['reason']}")


@app.command()
def serve(workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1) -> None:
    """Answer predictions over HTTP with the champion, and log each one.

    Example: CHURN_PORT=8080 churn serve --workers 2
    """
    from churn.config.settings import load_settings

    settings = load_settings()
    prepare_environment(settings)
    from service.server.run import run

    run(settings, workers)


@app.command()
def monitor(
    once: Annotated[bool, typer.Option("--once", help="Look once and stop; else every CHURN_MONITOR_INTERVAL_SECONDS.")] = False,
    as_json: Json = False,
) -> None:
    """Look at what is new: drift, performance, and what to do about it. Without --once it also serves the monitor's metrics.

    Example: churn monitor --once --json
    """
    import threading

    from churn.config.settings import load_settings

    settings = load_settings()
    prepare_environment(settings)
    quiet_prefect()
    use_local_prefect(settings)
    from monitoring.exporter.exporter import serve_exporter
    from pipelines.flows.monitor import monitor_flow

    stop = threading.Event()
    if not once:
        threading.Thread(target=serve_exporter, args=(settings,), kwargs={"stop": stop}, daemon=True).start()
    while True:
        result = monitor_flow()
        if as_json:
            print_json(result)
        else:
            console.print(f"{result.get('action', 'waiting')}: {result['reason']}")
        if once or stop.wait(settings.monitor_interval_seconds):
            return


@app.command(hidden=True)
def exporter() -> None:
    """Serve the monitor's metrics for Prometheus (a part of `churn up`)."""
    from churn.config.settings import load_settings
    from monitoring.exporter.exporter import serve_exporter

    serve_exporter(load_settings(), stop=None)


@app.command(hidden=True)
def flows() -> None:
    """Run the flows by schedule, event and on demand (a part of `churn up`)."""
    from churn.config.settings import load_settings

    prepare_environment(load_settings())
    from pipelines.flows.deployments import main as serve_deployments

    serve_deployments()


@app.command()
def traffic(
    scenario: Annotated[str, typer.Option(help="Name of a scenario; --list shows them.")] = "calm",
    customers: Annotated[int, typer.Option(min=1, help="How many to send.")] = 500,
    outcomes: Annotated[bool, typer.Option(help="Send what came true as well.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other customers.")] = 1,
    url: Annotated[str | None, typer.Option(help="Address of the service; default CHURN_SERVICE_URL, or the local one.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Send invented customers to a running service, and later what came true.

    Example: churn traffic --scenario plan-launch --customers 1000
    """
    import os

    from churn.config.settings import load_settings
    from churn.contract import load_contract
    from churn.simulation.simulate import SCENARIOS
    from pipelines.service_client import Client, simulate_scenario

    if show:
        for name, described in SCENARIOS.items():
            console.print(f"{name:16} {described.description}")
        return
    settings = load_settings()
    contract = load_contract(settings.contract)
    population = simulate_scenario(contract, scenario, customers, seed)
    address = url or settings.service_url or f"http://127.0.0.1:{settings.port}"
    with Client(address, contract, key=os.environ.get("CHURN_API_KEY")) as client:
        answers = client.predict(population, prefix=f"{scenario}-{seed}")
        accepted = client.report_outcomes(answers, population) if outcomes else 0
    flagged = sum(answer["churn"] for answer in answers)
    if as_json:
        print_json({"scenario": scenario, "sent": len(answers), "flagged": flagged, "outcomes": accepted})
    else:
        console.print(f"{len(answers)} customers asked about, {flagged} predicted to churn, {accepted} outcomes accepted")


@app.command()
def up() -> None:
    """Start everything on this machine, train the first model if there is none, and stay until Ctrl-C.

    Example: CHURN_HOME=/srv/churn churn up
    """
    from churn.config.settings import load_settings
    from pipelines.local.up import run

    run(load_settings())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the table, the plot and the report.")] = Path("build/demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's state in place afterwards.")] = False,
) -> None:
    """Close the loop once: train, serve, drift, retrain, take over. Exits 0 only if each step really happened.

    Example: churn demo --out /tmp/churn-demo
    """
    from churn.config.settings import load_settings
    from pipelines.demo.demo import run

    run(load_settings(), out, keep=keep)


def main() -> None:
    """Run the command; a ChurnError is one line on stderr and its own exit code."""
    try:
        app()
    except ChurnError as error:
        fail(str(error))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
