"""`churn model …` and `churn evaluate`: the registered versions, who leads, and how good they are."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipelines.console import console, print_json

if TYPE_CHECKING:
    from churn.registry import Registry

app = typer.Typer(no_args_is_help=True, help="List, show, promote and roll back models.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command("list")
def list_versions(as_json: Json = False) -> None:
    """List the registered versions, newest first.

    Example: churn model list
    """
    rows = [{"version": v, "aliases": aliases, **tags} for v, aliases, tags in _registry().versions()]
    if as_json:
        print_json(rows)
        return
    table = Table("version", "aliases", "trigger", "data", "digest")
    for row in rows:
        aliases = ", ".join(row["aliases"])
        table.add_row(
            str(row["version"]), aliases, str(row.get("trigger")), str(row.get("data_source")), str(row.get("data_digest"))
        )
    console.print(table if rows else "no model yet; train one with: churn train")


@app.command()
def show(version: Annotated[str, typer.Argument(help="Version number or alias.")] = "champion", as_json: Json = False) -> None:
    """Show what is known of one version.

    Example: churn model show 3
    """
    info = _registry().load(version).info
    if as_json:
        print_json(info.model_dump(mode="json"))
        return
    for name, value in info.model_dump(mode="json").items():
        shown = {metric: round(number, 4) for metric, number in value.items()} if name == "metrics" else value
        console.print(f"[bold]{name}[/bold]: {shown}")


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version number.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Make a version the champion by hand, past the gate. It is written down who did it and why.

    Example: churn model promote 3 --reason "the gate's rows were mislabelled"
    """
    registry = _registry()
    number = registry.version(version)
    registry.load(number)  # a model that cannot be loaded is not promoted
    old = registry.promote(number)
    _write_down("promotion", "promoted", reason, number, {"replaced": old})
    console.print(f"version {number} is champion" + (f"; it was {old}" if old and old != number else ""))


@app.command()
def rollback(reason: Annotated[str, typer.Option(help="Why, for the record.")]) -> None:
    """Make the previous champion the champion again.

    Example: churn model rollback --reason "complaints from the call centre"
    """
    leaving, returning = _registry().rollback()
    _write_down("rollback", "rolled back", reason, returning, {"replaced": leaving})
    console.print(f"version {returning} is champion again; it was {leaving}")


def evaluate(
    file: Annotated[Path, typer.Argument(help="Labelled CSV or Parquet file.")],
    model: Annotated[str, typer.Option(help="Version number or alias.")] = "champion",
    as_json: Json = False,
) -> None:
    """Score a labelled file with a registered model and print the scorecard.

    Example: churn evaluate data/telecom_churn.csv --model champion
    """
    from churn.contract import load_contract
    from churn.data import read_dataset
    from churn.evaluation import evaluate as score
    from churn.settings import load_settings

    dataset = read_dataset(file, load_contract(load_settings().contract), check_relations=False)
    loaded = _registry().load(model)
    probability = loaded.predict_probability(dataset.features)
    card = asdict(score(dataset.labelled.to_numpy(), probability, loaded.info.threshold))
    if as_json:
        print_json({"file": str(file), "model_version": loaded.info.version, **card})
        return
    table = Table("measure", "value", title=f"version {loaded.info.version} on {file}")
    for name, value in card.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    console.print(table)


def _registry() -> Registry:
    from churn.registry import Registry
    from churn.settings import load_settings
    from pipelines.environment import prepare_environment

    settings = load_settings()
    prepare_environment(settings)

    return Registry(settings)


def _write_down(kind: str, action: str, reason: str, version: str, evidence: dict[str, str | None]) -> None:
    from churn.records import Decision
    from churn.settings import load_settings
    from churn.store import Store

    store = Store.open(load_settings().store_url)
    try:
        store.write_decision(Decision(kind, action, getpass.getuser(), reason, version, dict(evidence)))
    finally:
        store.close()
